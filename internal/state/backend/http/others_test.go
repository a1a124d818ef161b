package httpstate_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
)

// otherServer names the binary of github.com/nimbolus/terraform-backend, which
// is built from its git repository.
const otherServer = "ESD_TEST_TERRAFORM_BACKEND"

// TestAServerOfOthersPassesTheSuite runs the suite against a state server that
// others wrote. It keeps files encrypted, wants a lock for every write, and
// every field of it for unlocking.
func TestAServerOfOthersPassesTheSuite(t *testing.T) {
	t.Parallel()
	binary := os.Getenv(otherServer)
	if binary == "" {
		t.Skip(otherServer + " does not name a terraform-backend")
	}
	backendtest.Run(t, backendtest.Options{
		Processes: processes(t), TakeOver: 4 * testLease, EmptyIsNone: true,
		New: func(t *testing.T) backendtest.Store { return newOther(t, binary) },
	})
}

func newOther(t *testing.T, binary string) backendtest.Store {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	dir := t.TempDir()
	address := startOther(t, binary, "KMS_KEY="+base64.StdEncoding.EncodeToString(key), "STORAGE_FS_DIR="+dir)
	location := "http://basic:" + testPassword + "@" + oneByOne(t, address) + "/state/project/production"
	// The name of the file follows from the names of the state and the password.
	id := fmt.Sprintf("%x", sha256.Sum256([]byte("project-production")))
	id = fmt.Sprintf("%x", sha256.Sum256([]byte(testPassword+":"+id)))
	file := filepath.Join(dir, id+".tfstate")
	seal := seal(t, key)
	return backendtest.Store{
		Open:     func() backend.Backend { return open(location) },
		Location: location,
		Plant: func(data []byte) error {
			nonce := make([]byte, seal.NonceSize())
			return os.WriteFile(file, seal.Seal(nonce, nonce, data, nil), 0o600)
		},
		Raw: func() ([]byte, error) {
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			return seal.Open(nil, data[:seal.NonceSize()], data[seal.NonceSize():], nil)
		},
	}
}

func seal(t *testing.T, key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// startOther starts the server on a free port, and on another one if somebody
// was faster there.
func startOther(t *testing.T, binary string, env ...string) string {
	t.Helper()
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		cmd := exec.Command(binary)
		cmd.Env = append(append(os.Environ(), env...), "LISTEN_ADDR="+address, "METRICS_LISTEN_ADDR="+address, "LOG_LEVEL=fatal")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if answers(t, "http://"+address+"/health", ended) {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				<-ended
			})
			return address
		}
	}
	t.Fatal("the server did not start")
	return ""
}

// oneByOne stands before a server and lets one request through at a time. This
// one ends itself where two log in at once (its settings are a map that each
// request writes to).
func oneByOne(t *testing.T, address string) string {
	t.Helper()
	var turn sync.Mutex
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	front := serve(t, func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		proxy.ServeHTTP(w, r)
	})
	return strings.TrimPrefix(front, "http://")
}

// answers waits for a server, and reports false when its process has ended.
func answers(t *testing.T, url string, ended chan error) bool {
	t.Helper()
	for range 1000 {
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		if resp, err := http.Get(url); err == nil { //nolint:noctx // a test
			resp.Body.Close()
			return true
		}
	}
	t.Fatalf("%s does not answer", url)
	return false
}

// terraform runs Terraform in a directory.
func terraform(t *testing.T, binary, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestTerraformWorksWithTheTestServer shows that the server of these tests
// speaks the protocol as the client does that it was made for.
func TestTerraformWorksWithTheTestServer(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("there is no terraform here")
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(configuration(url+path, path)), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(want string, args ...string) {
				t.Helper()
				out, err := terraform(t, binary, dir, args...)
				if (err == nil) != (want == "") || !strings.Contains(out, want) {
					t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
			run("", "init", "-no-color", "-input=false")
			run("", "apply", "-no-color", "-auto-approve", "-var=v=1")
			run("", "apply", "-no-color", "-auto-approve", "-var=v=2")
			writes := 0
			for _, e := range server.History(path) {
				if e.What == "write" {
					writes++
				}
			}
			if writes != 2 {
				t.Errorf("%d writes: %+v", writes, server.History(path))
			}
			oneAtATime(t, server, path)
			server.TakeLock(path, "3f6bb52c-5f0d-4b5c-bd3c-0f3a5ee4d6b1", "somebody")
			run("Error acquiring the state lock", "apply", "-no-color", "-auto-approve", "-var=v=3")
			if path != paths["Gitea"] { // which wants an ID, and Terraform sends none
				run("", "force-unlock", "-force", "3f6bb52c-5f0d-4b5c-bd3c-0f3a5ee4d6b1")
				run("", "apply", "-no-color", "-auto-approve", "-var=v=3")
			}
		})
	}
}

func configuration(address, path string) string {
	lock, methods := address, ""
	if strings.HasPrefix(path, "/api/") {
		lock += "/lock"
		methods = "lock_method = \"POST\"\nunlock_method = \"DELETE\"\n"
	}
	return fmt.Sprintf(`terraform {
  backend "http" {
    address = %q
    lock_address = %q
    unlock_address = %q
    username = %q
    password = %q
    %s
  }
}
variable "v" {}
output "v" { value = var.v }
`, address, lock, lock, testUser, testPassword, methods)
}
