package examples

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"esd/internal/cli"
)

// notes is the part of GitLab's API that comment.sh uses: the comments of one
// merge request.
type notes struct {
	mu   sync.Mutex
	list []note
	log  []string
}

type note struct {
	ID     int    `json:"id"`
	Body   string `json:"body"`
	System bool   `json:"system"`
}

func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, r.Method+" "+r.URL.Path)
	if r.Header.Get("PRIVATE-TOKEN") != "glpat-secret" {
		http.Error(w, "401 Unauthorized", http.StatusUnauthorized)
		return
	}
	const path = "/api/v4/projects/7/merge_requests/3/notes"
	var sent note
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	switch {
	case r.Method == http.MethodGet && r.URL.Path == path:
		page := []note{} // the newest first, all on one page
		if r.URL.Query().Get("page") == "1" {
			for i := len(n.list) - 1; i >= 0; i-- {
				page = append(page, n.list[i])
			}
		}
		_ = json.NewEncoder(w).Encode(page)
	case r.Method == http.MethodPost && r.URL.Path == path:
		n.list = append(n.list, note{ID: len(n.list) + 1, Body: sent.Body})
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, path+"/"):
		for i := range n.list {
			if r.URL.Path == fmt.Sprintf("%s/%d", path, n.list[i].ID) {
				n.list[i].Body = sent.Body
				return
			}
		}
		http.NotFound(w, r)
	default:
		http.NotFound(w, r)
	}
}

func TestTheCommentOfALaterPipelineReplacesTheEarlierOne(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s", program)
		}
	}
	forge := &notes{list: []note{{ID: 1, Body: "<!-- esd-plan lab -->", System: true}, {ID: 2, Body: "Looks good to me."}}}
	server := httptest.NewServer(forge)
	defer server.Close()
	comment := func(body string, more ...string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "plan.md")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "ci/gitlab/comment.sh", file)
		cmd.Env = append(os.Environ(), append([]string{
			"CI_API_V4_URL=" + server.URL + "/api/v4", "CI_PROJECT_ID=7", "CI_MERGE_REQUEST_IID=3", "ESD_COMMENT_TOKEN=glpat-secret",
		}, more...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	const long = "\n\"quotes\", $dollars, `ticks`, ünïcode\n"
	comment("<!-- esd-plan lab -->\nfirst" + long)
	comment("<!-- esd-plan other -->\nof another configuration")
	comment("<!-- esd-plan lab -->\nsecond" + long)
	want := []string{"<!-- esd-plan lab -->", "Looks good to me.", "<!-- esd-plan lab -->\nsecond" + long, "<!-- esd-plan other -->\nof another configuration"}
	for i, n := range forge.list {
		if i >= len(want) || n.Body != want[i] {
			t.Errorf("comment %d is %q", n.ID, n.Body)
		}
	}
	if len(forge.list) != len(want) {
		t.Errorf("there are %d comments, want %d", len(forge.list), len(want))
	}

	asked := len(forge.log)
	if out := comment("x", "ESD_COMMENT_TOKEN="); !strings.Contains(out, "ESD_COMMENT_TOKEN is not set") {
		t.Errorf("without a token it says %q", out)
	}
	if out := comment("x", "CI_MERGE_REQUEST_IID="); !strings.Contains(out, "No merge request") {
		t.Errorf("outside of merge requests it says %q", out)
	}
	if len(forge.log) != asked {
		t.Errorf("it asked the forge all the same: %v", forge.log[asked:])
	}
}

// Each pipeline gives its configuration all that the state block of it needs:
// variables in its file, and those that the forge sets.
func TestThePipelinesGiveWhatTheirStatesNeed(t *testing.T) {
	for name, test := range map[string]struct {
		dir, pipeline string
		forge         map[string]string
	}{
		"GitLab": {"ci/gitlab", "gitlab-ci.yml", map[string]string{
			"CI_API_V4_URL": "http://127.0.0.1:1/api/v4", "CI_PROJECT_ID": "7", "CI_REGISTRY_IMAGE": "127.0.0.1:1/lab/stack",
		}},
		"GitHub": {"ci/github", "esd.yml", map[string]string{
			"vars.STATE_BUCKET": "states", "vars.STATE_REGION": "eu-central-1", "github.repository": "lab/stack",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			// For the SDK of AWS, which looks for itself.
			t.Setenv("AWS_ACCESS_KEY_ID", "key")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			environ := pipelineVariables(t, filepath.Join(test.dir, test.pipeline), test.forge)
			environ["AWS_ENDPOINT_URL"], environ["ESD_HTTP_RETRY_MAX"] = "http://127.0.0.1:1", "0"
			// Nobody listens there: it is enough that it knows where to ask.
			code, out := esdWith(environ, "lock-info", "--watch", "0", "--config", filepath.Join(copyExamples(t), test.dir))
			if code != cli.ExitBackend || !strings.Contains(out, "127.0.0.1:1") {
				t.Errorf("it exits with %d and says\n%s", code, out)
			}
		})
	}
}

// pipelineVariables reads lines such as `ESD_X: value` from a pipeline, with
// what the forge says in place of $NAME and ${{ name }}.
func pipelineVariables(t *testing.T, path string, forge map[string]string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for name, value := range forge {
		pairs = append(pairs, "$"+name, value, "${{ "+name+" }}", value)
	}
	values := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +((?:ESD|AWS)_\w+): (.+)$`).FindAllStringSubmatch(string(text), -1) {
		values[m[1]] = strings.NewReplacer(pairs...).Replace(m[2])
	}
	if len(values) == 0 {
		t.Fatalf("%s sets no variables", path)
	}
	return values
}
