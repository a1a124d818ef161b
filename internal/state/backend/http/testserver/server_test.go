package testserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"esd/internal/state/backend/http/testserver"
)

const (
	gitlab = "/api/v4/projects/1/terraform/state/x"
	gitea  = "/api/packages/me/terraform/state/x"
)

// ask sends a request and returns status and body.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

func lock(id, operation string) string {
	return `{"ID":"` + id + `","Operation":"` + operation + `","Info":"","Who":"a@b","Version":"1","Created":"2026-11-21T10:00:00Z","Path":""}`
}

func document(serial string) string { return `{"serial":` + serial + `,"lineage":"l"}` }

// step is a request and what must be answered.
type step struct {
	method, path, body string
	status             int
	says               string
}

func TestTheServerIsAsStrictAsTheOnesItStandsFor(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"GitLab wants all seven fields": {
			{"POST", gitlab + "/lock", `{"ID":"1","Operation":"","Info":"","Who":"","Version":"","Created":""}`, 400, "Path is missing"},
			{"POST", gitlab + "/lock", lock("1", ""), 200, `"ID":"1"`},
		},
		"GitLab echoes the operation of whoever asks": {
			{"POST", gitlab + "/lock", lock("1", "apply"), 200, "apply"},
			{"POST", gitlab + "/lock", lock("2", "plan"), 409, `"Operation":"plan"`},
			{"POST", gitlab + "/lock", lock("1", "apply"), 409, `"ID":"1"`},
		},
		"GitLab unlocks what it is not told, and refuses what is wrong": {
			{"POST", gitlab + "/lock", lock("1", ""), 200, ""},
			{"DELETE", gitlab + "/lock?ID=2", "", 409, ""},
			{"DELETE", gitlab + "/lock", lock("2", ""), 409, ""},
			{"DELETE", gitlab + "/lock", "", 200, ""},
			{"DELETE", gitlab + "/lock?ID=1", "", 409, ""},
		},
		"GitLab keeps versions by serial": {
			{"GET", gitlab, "", 404, ""},
			{"POST", gitlab, "", 204, ""},
			{"GET", gitlab, "", 204, ""},
			{"POST", gitlab, "{", 422, "invalid JSON"},
			{"POST", gitlab, "{}", 422, "No serial"},
			{"POST", gitlab, document("5"), 200, ""},
			{"POST", gitlab, document("5"), 422, "duplicate"},
			{"POST", gitlab, document("4"), 200, ""},
			{"GET", gitlab, "", 200, `"serial":5`},
			{"DELETE", gitlab + "/versions/5", "", 204, ""},
			{"GET", gitlab + "/versions/4", "", 200, `"serial":4`},
			{"DELETE", gitlab, "", 200, ""},
			{"POST", gitlab, document("6"), 422, "Deleted"},
		},
		"GitLab has no answer to a write with a wrong ID": {
			{"POST", gitlab + "?ID=1", document("1"), 500, ""},
			{"POST", gitlab + "/lock", lock("1", ""), 200, ""},
			{"POST", gitlab, document("1"), 500, ""},
			{"POST", gitlab + "?ID=2", document("1"), 500, ""},
			{"POST", gitlab + "?ID=1", document("1"), 200, ""},
		},
		"Gitea shows the holder, and takes an ID where nothing is locked": {
			{"GET", gitea, "", 404, ""},
			{"POST", gitea + "?ID=1", document("1"), 201, ""},
			{"POST", gitea, document("1"), 409, ""},
			{"POST", gitea, document("0"), 400, ""},
			{"POST", gitea + "/lock", lock("1", "apply"), 200, ""},
			{"POST", gitea + "/lock", lock("2", "plan"), 423, "apply"},
			{"POST", gitea, document("2"), 423, "apply"},
			{"DELETE", gitea + "/lock", "", 400, ""},
			{"DELETE", gitea + "/lock", lock("2", ""), 423, ""},
			{"DELETE", gitea, "", 423, ""},
			{"DELETE", gitea + "/versions/1", "", 403, "latest"},
			{"DELETE", gitea + "/lock", lock("1", ""), 200, ""},
			{"DELETE", gitea + "/lock", lock("1", ""), 200, ""},
		},
		"a strict one wants the lock to write, and every field to unlock": {
			{"POST", "/strict/x", document("1"), 400, ""},
			{"LOCK", "/strict/x", lock("1", "apply"), 200, ""},
			{"LOCK", "/strict/x", lock("1", "apply"), 200, ""},
			{"LOCK", "/strict/x", lock("1", "plan"), 423, "apply"},
			{"POST", "/strict/x?ID=1", document("1"), 200, ""},
			{"UNLOCK", "/strict/x", lock("1", "plan"), 400, ""},
			{"UNLOCK", "/strict/x", lock("1", "apply"), 200, ""},
			{"UNLOCK", "/strict/x", lock("1", "apply"), 400, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener := httptest.NewServer(&testserver.Server{})
			t.Cleanup(listener.Close)
			for i, s := range steps {
				status, body := ask(t, s.method, listener.URL+s.path, s.body)
				if status != s.status || !strings.Contains(body, s.says) {
					t.Errorf("step %d, %s %s: %d %s", i+1, s.method, s.path, status, body)
				}
			}
		})
	}
}

func TestAScriptCanStartItAndTellItWhatToDo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- testserver.Serve(ctx, &testserver.Server{}, write) }()
	line := make([]byte, 100)
	n, err := read.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(string(line[:n]))
	ask(t, "POST", url+gitlab, document("1"))
	if status, _ := ask(t, "POST", url+"/-/fault", `{"Kind":"503","On":"read","Times":1}`); status != 200 {
		t.Errorf("fault: %d", status)
	}
	if status, _ := ask(t, "GET", url+gitlab, ""); status != 503 {
		t.Errorf("with the fault: %d", status)
	}
	if status, _ := ask(t, "GET", url+gitlab, ""); status != 200 {
		t.Errorf("after the fault: %d", status)
	}
	ask(t, "PUT", url+"/-/plant?path="+gitlab, "planted")
	if _, body := ask(t, "GET", url+gitlab, ""); body != "planted" {
		t.Errorf("planted: %s", body)
	}
	_, body := ask(t, "GET", url+"/-/history?path="+gitlab, "")
	var events []testserver.Event
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&events); err != nil || len(events) != 1 || events[0].Serial != 1 {
		t.Errorf("history: %s, %v", body, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
