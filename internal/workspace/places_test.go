package workspace

import (
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"

	"esd/internal/spack/transport/s3test"
	"esd/internal/state"
	"esd/internal/state/backend/http/testserver"
	"esd/internal/state/backend/kinds"
	"esd/internal/state/backend/pg/pgtest"
)

// somewhere is a place where a state can be kept: a state block, and what the
// environment says besides.
type somewhere struct {
	block string
	env   map[string]string
}

// somewheres make new places, by kind and flavour. A new kind joins by a line.
var somewheres = map[string]func(t *testing.T) somewhere{
	"local": func(t *testing.T) somewhere {
		return somewhere{block: fmt.Sprintf("state \"local\" { path = %q }", filepath.Join(t.TempDir(), "state.json"))}
	},
	"http at a small server": func(t *testing.T) somewhere { return atServer(t, "/strict/lab") },
	"http at GitLab":         func(t *testing.T) somewhere { return atServer(t, "/api/v4/projects/7/terraform/state/lab") },
	"oci in a layout": func(t *testing.T) somewhere {
		return somewhere{block: fmt.Sprintf("state \"oci\" { repository = \"oci:%s\" }", t.TempDir())}
	},
	"oci in a registry": func(t *testing.T) somewhere {
		yes := true
		server := httptest.NewServer(olareg.New(oconfig.Config{
			Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
			API:     oconfig.ConfigAPI{DeleteEnabled: &yes},
		}))
		t.Cleanup(server.Close)
		return somewhere{block: fmt.Sprintf("state \"oci\" { repository = \"%s/states\" }", strings.TrimPrefix(server.URL, "http://"))}
	},
	"s3": func(t *testing.T) somewhere {
		t.Setenv("AWS_ACCESS_KEY_ID", "esdkey")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "esdsecret123")
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		endpoint := s3test.Versity(t).Endpoint
		return somewhere{block: fmt.Sprintf("state \"s3\" {\n    bucket = \"bucket\"\n    key = \"lab.json\"\n    endpoint = %q\n  }", endpoint)}
	},
	"pg": func(t *testing.T) somewhere {
		server, err := startPostgres()
		if err != nil {
			t.Skip(err)
		}
		name := strings.ReplaceAll(t.Name(), "/", " ") + " " + state.NewID()
		return somewhere{
			block: fmt.Sprintf("state \"pg\" { name = %q }", name[max(len(name)-100, 0):]),
			env:   map[string]string{"PG_CONN_STR": server.ConnString("postgres")},
		}
	},
}

// startPostgres starts one server for all tests of the package; TestMain ends it.
var startPostgres = sync.OnceValues(func() (*pgtest.Server, error) {
	s, err := pgtest.New(pgtest.Options{})
	if err == nil {
		atEnd = append(atEnd, s.Close)
	}
	return s, err
})

// atEnd is what ends with the tests of the package.
var atEnd []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range atEnd {
		end()
	}
	os.Exit(code)
}

// atServer is a state at a server of Terraform's protocol.
func atServer(t *testing.T, path string) somewhere {
	t.Helper()
	s := &testserver.Server{Username: "robot", Password: "s3cr3t-password"}
	place := somewhere{env: map[string]string{"ESD_HTTP_USERNAME": s.Username, "ESD_HTTP_PASSWORD": s.Password}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	at := server.URL + path
	place.block = fmt.Sprintf("state \"http\" {\n    address = %q\n    lock_address = %q\n    unlock_address = %q\n    retry_max = 0\n  }", at, at, at)
	if strings.HasPrefix(path, "/api/") {
		place.block = fmt.Sprintf("state \"http\" { address = %q }", at)
	}
	return place
}

// openAt opens a configuration that has nothing but a place for its state. The
// environment is that of all places given.
func openAt(t *testing.T, dir string, at somewhere, others ...somewhere) *Workspace {
	t.Helper()
	writeAll(t, filepath.Join(dir, "esd.hcl"), "esd {\n  "+at.block+"\n}\n")
	env := map[string]string{}
	for _, s := range append(others, at) {
		maps.Copy(env, s.env)
	}
	w, diags := OpenState(Options{Path: dir, Version: "0.1.0", Environ: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return w
}

// wrote puts a state with some objects in place and returns what is recorded.
func wrote(t *testing.T, w *Workspace, objects ...string) *state.State {
	t.Helper()
	s := state.New(state.NewID(), "0.1.0")
	s.Serial = 7
	for _, name := range objects {
		s.Put(&state.Object{Address: "recipe." + name, Kind: "recipe", Key: strings.Repeat("ab", 32), When: "2026-11-21T10:00:00Z"})
	}
	s.Durations["recipe.a#build"] = state.Duration{Seconds: 3}
	got, err := w.Push(t.Context(), LockOptions{Operation: "state push"}, s, false)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func read(t *testing.T, w *Workspace) *state.State {
	t.Helper()
	s, _, err := w.Recorded(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flavours lists the places to test with, sorted, of those kinds that there are.
func flavours() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(somewheres)), func(flavour string) bool {
		kind, _, _ := strings.Cut(flavour, " ")
		return kinds.Find(kind) == nil
	})
}

// wantNoSecret searches files for secrets that the environment held.
func wantNoSecret(t *testing.T, dir string, places ...somewhere) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, p := range places {
			for name, value := range p.env {
				if strings.Contains(name, "PASSWORD") && strings.Contains(string(data), value) {
					t.Errorf("%s holds a secret", path)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
