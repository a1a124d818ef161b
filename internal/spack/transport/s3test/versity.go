package s3test

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"esd/internal/spack/transport"
)

// Serve starts the server within this process.
func (s *Fake) Serve(t testing.TB) transport.S3Options {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return transport.S3Options{Endpoint: server.URL, AccessKeyID: "key", SecretAccessKey: "secret"}
}

// Versity starts the real server that ESD_TEST_VERSITYGW names, which checks signatures
// too, with a bucket "bucket"; the test is skipped without.
func Versity(t testing.TB) transport.S3Options {
	t.Helper()
	program := os.Getenv("ESD_TEST_VERSITYGW")
	if program == "" {
		t.Skip("ESD_TEST_VERSITYGW is not set: it names the program of a real S3 server (github.com/versity/versitygw)")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o755); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--port", address, "--region", "us-east-1", "posix", root)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=esdkey", "ROOT_SECRET_KEY=esdsecret123")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return transport.S3Options{Endpoint: "http://" + address, AccessKeyID: "esdkey", SecretAccessKey: "esdsecret123"}
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", program)
	return transport.S3Options{}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
