package oci

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"esd/internal/state/backend/backendtest"
)

// contenders is how many processes contend for the lock; set the variable to try
// with more.
func contenders(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("ESD_TEST_PROCESSES"))
	if err != nil {
		return 20
	}
	return n
}

func TestARegistryPassesTheSuite(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, backendtest.Options{
		New:       func(t *testing.T) backendtest.Store { return suiteStore(t, newRegistry(t, true, nil)) },
		Processes: contenders(t), TakeOver: 3 * testLease,
	})
}

func TestTheReferenceRegistryPassesTheSuite(t *testing.T) {
	t.Parallel()
	host := startDistribution(t, "delete: {enabled: true}")
	n := 0
	backendtest.Run(t, backendtest.Options{
		New: func(t *testing.T) backendtest.Store {
			n++
			return suiteStore(t, fmt.Sprintf("%s/team/states%d", host, n))
		},
		Processes: contenders(t), TakeOver: 3 * testLease,
	})
}

func TestALayoutDirectoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, backendtest.Options{
		New: func(t *testing.T) backendtest.Store {
			return suiteStore(t, "oci:"+filepath.Join(t.TempDir(), "states"))
		},
		Processes: contenders(t), TakeOver: 3 * testLease,
	})
}

// startDistribution runs the reference registry, as Debian packages it, and gives
// its address. storage is a section of its configuration.
func startDistribution(t testing.TB, storage string) string {
	t.Helper()
	return startDistributionIn(t, t.TempDir(), storage)
}

func startDistributionIn(t testing.TB, data, storage string) string {
	t.Helper()
	if _, err := exec.LookPath("docker-registry"); err != nil {
		t.Skip("docker-registry is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	file := filepath.Join(t.TempDir(), "config.yml")
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}, %s}\nhttp: {addr: %q}\n",
		filepath.Join(data, "registry"), storage, host)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 400 {
		if conn, err := net.Dial("tcp", host); err == nil {
			conn.Close()
			return host
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the registry does not answer")
	return ""
}
