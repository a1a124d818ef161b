package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/state/backend/http/testserver"
	"esd/internal/state/backend/pg/pgtest"
	"esd/internal/state/backend/wire"
)

// statePlace is a place where one state is kept, for many machines.
type statePlace struct {
	block string // state "…" { … }, without a lease
	env   map[string]string
	// leases tells whether its locks have leases.
	leases bool
	// script is what a step does besides while its run holds the lock, given
	// the name of that step.
	script func(name string) string
	// versions reads all versions that were ever written, in their order, past
	// esd.
	versions func(t testing.TB) []stateVersion
}

// stateVersion is a version of the state as it was found. holder is whatever
// tells one lock from another, "" where the place does not say.
type stateVersion struct {
	Lineage string
	Serial  int64
	Objects []struct{ Address string }
	holder  string
	// previous and digest show the predecessor, where the place says.
	previous, digest string
}

// statePlaces are the kinds of places, and how to make one that keeps at least
// keep versions. It skips the test where the server is missing.
var statePlaces = map[string]func(t testing.TB, keep int) statePlace{
	"local":                   localPlace,
	"http":                    httpPlace,
	"oci":                     func(t testing.TB, keep int) statePlace { return ociPlace(newRegistry(t, nil), keep) },
	"oci at docker-registry":  func(t testing.TB, keep int) statePlace { return ociPlace(startDistribution(t, ""), keep) },
	"s3 at versitygw":         s3Place,
	"pg":                      pgPlace,
	"pg with few connections": func(t testing.TB, keep int) statePlace { return pgPlaceOf(t, keep, "max_connections = 10") },
}

func parseVersion(t testing.TB, document []byte) stateVersion {
	t.Helper()
	var v stateVersion
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatalf("no state: %v in %.200q", err, document)
	}
	return v
}

func unpackVersion(t testing.TB, packed []byte) stateVersion {
	t.Helper()
	document, err := wire.Unpack(packed, "a version")
	if err != nil {
		t.Fatal(err)
	}
	return parseVersion(t, document)
}

// localPlace has each step make a copy of what its predecessor has left.
func localPlace(t testing.TB, _ int) statePlace {
	dir := scratch(t)
	file := filepath.Join(dir, "state.json")
	return statePlace{
		block: fmt.Sprintf("state \"local\" { path = %q }", file),
		script: func(name string) string {
			return fmt.Sprintf("if [ -e %s ]; then cp %s %s/copy-%s; fi", file, file, dir, name)
		},
		versions: func(t testing.TB) []stateVersion {
			copies, err := filepath.Glob(filepath.Join(dir, "copy-*"))
			if err != nil {
				t.Fatal(err)
			}
			var versions []stateVersion
			for _, path := range append(copies, file) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				versions = append(versions, parseVersion(t, data))
			}
			slices.SortFunc(versions, func(a, b stateVersion) int { return int(a.Serial - b.Serial) })
			return versions
		},
	}
}

func httpPlace(t testing.TB, _ int) statePlace {
	const path = "/strict/lab"
	s := &testserver.Server{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return statePlace{
		block:  fmt.Sprintf("state \"http\" {\n  address = %[1]q\n  lock_address = %[1]q\n  unlock_address = %[1]q\n  LEASE\n}", server.URL+path),
		leases: true,
		versions: func(t testing.TB) []stateVersion {
			var versions []stateVersion
			holder := ""
			for _, e := range s.History(path) {
				switch {
				case e.What == "lock" && holder == "":
					holder = e.ID
				case e.What == "unlock" && holder == e.ID:
					holder = ""
				case e.What == "write" && holder == e.ID:
					versions = append(versions, stateVersion{Serial: e.Serial, holder: e.ID})
				default:
					t.Errorf("%s by %s while %q holds the lock", e.What, e.ID, holder)
				}
			}
			if len(versions) > 0 { // of the last one there is the document, too
				last := &versions[len(versions)-1]
				shown := parseVersion(t, s.Raw(path))
				last.Lineage, last.Objects = shown.Lineage, shown.Objects
			}
			return versions
		},
	}
}

// ociPlace is a repository whose tags say which version follows which.
func ociPlace(host string, keep int) statePlace {
	const repository = "lab/states"
	return statePlace{
		block:  fmt.Sprintf("state \"oci\" {\n  repository = %q\n  name = \"lab\"\n  keep = %d\n  LEASE\n}", host+"/"+repository, keep),
		leases: true,
		versions: func(t testing.TB) []stateVersion {
			var list struct{ Tags []string }
			if err := json.Unmarshal(get(t, "http://"+host+"/v2/"+repository+"/tags/list?n=10000"), &list); err != nil {
				t.Fatal(err)
			}
			var versions []stateVersion
			slices.Sort(list.Tags) // by generation
			for _, tag := range list.Tags {
				parts := strings.Split(tag, ".")
				if len(parts) != 7 || parts[1] != "state" {
					continue
				}
				content, ok := manifestOf(t, host, repository, tag)
				var m ocispec.Manifest
				if err := json.Unmarshal(content, &m); !ok || err != nil || len(m.Layers) != 1 {
					t.Fatalf("%s: %v, %s", tag, err, content)
				}
				v := unpackVersion(t, get(t, "http://"+host+"/v2/"+repository+"/blobs/"+string(m.Layers[0].Digest)))
				v.holder, v.previous, v.digest = parts[3], parts[5], parts[6]
				versions = append(versions, v)
			}
			return versions
		},
	}
}

func get(t testing.TB, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return data
}

// s3Place is a bucket that a real server keeps as files.
func s3Place(t testing.TB, keep int) statePlace {
	program := os.Getenv("ESD_TEST_VERSITYGW")
	if program == "" {
		t.Skip("ESD_TEST_VERSITYGW is not set: it names the program of a real S3 server (github.com/versity/versitygw)")
	}
	root, address := scratch(t), freePort(t)
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", address, "--region", "us-east-1", "posix", root)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=esdkey", "ROOT_SECRET_KEY=esdsecret123")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	key := filepath.Join(root, "bucket", "lab", "state.json")
	return statePlace{
		block: fmt.Sprintf("state \"s3\" {\n  bucket = \"bucket\"\n  key = \"lab/state.json\"\n  region = \"us-east-1\"\n  endpoint = \"http://%s\"\n  keep = %d\n  LEASE\n}", address, keep),
		env:   map[string]string{"AWS_ACCESS_KEY_ID": "esdkey", "AWS_SECRET_ACCESS_KEY": "esdsecret123", "AWS_EC2_METADATA_DISABLED": "true"}, leases: true,
		versions: func(t testing.TB) []stateVersion {
			head, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			return registered(t, head, func(name string) []byte {
				data, err := os.ReadFile(filepath.Join(key+".versions", name))
				if err != nil {
					t.Fatal(err)
				}
				return data
			})
		},
	}
}

func pgPlace(t testing.TB, keep int) statePlace { return pgPlaceOf(t, keep) }

func pgPlaceOf(t testing.TB, keep int, settings ...string) statePlace {
	server := pgtest.Start(t, pgtest.Options{Settings: settings})
	rows := func(t testing.TB, sql string) []string {
		found, err := server.Rows("postgres", sql)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	return statePlace{
		block: fmt.Sprintf("state \"pg\" {\n  name = \"lab\"\n  keep = %d\n  LEASE\n}", keep),
		env:   map[string]string{"ESD_PG_CONN_STR": server.ConnString("postgres")}, leases: true,
		versions: func(t testing.TB) []stateVersion {
			head := rows(t, "SELECT convert_from(head, 'UTF8') FROM esd.esd_states WHERE name = 'lab'")
			return registered(t, []byte(head[0]), func(name string) []byte {
				data, err := hex.DecodeString(rows(t, "SELECT encode(data, 'hex') FROM esd.esd_documents WHERE state = 'lab' AND name = '"+name+"'")[0])
				if err != nil {
					t.Fatal(err)
				}
				return data
			})
		},
	}
}

// registered reads the versions that the head of a register names.
func registered(t testing.TB, head []byte, document func(name string) []byte) []stateVersion {
	t.Helper()
	type version struct {
		Name  string
		Fence int64
	}
	var h struct {
		State    version
		Previous []version
		Lock     any
	}
	if err := json.Unmarshal(head, &h); err != nil {
		t.Fatalf("%v in %s", err, head)
	}
	if h.Lock != nil {
		t.Errorf("the lock is held still: %v", h.Lock)
	}
	var versions []stateVersion
	for _, named := range append([]version{h.State}, h.Previous...) {
		v := unpackVersion(t, document(named.Name))
		v.holder = strconv.FormatInt(named.Fence, 10)
		versions = append(versions, v)
	}
	slices.Reverse(versions)
	return versions
}
