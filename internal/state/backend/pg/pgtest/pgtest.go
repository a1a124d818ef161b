// Package pgtest starts PostgreSQL servers for tests, each with a directory of
// its own, on the loopback interface.
//
// PostgreSQL refuses to run as root, so there it runs as the user postgres, or
// nobody.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Superuser is the role that initdb makes; it needs no password.
const Superuser = "admin"

// Role and Password are of a role that may create databases and has to say its
// password.
const (
	Role     = "careful"
	Password = "s3cr3t-of-careful"
)

// Server is a PostgreSQL server.
type Server struct {
	// Port of 127.0.0.1.
	Port int

	bin, dir string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	output *bytes.Buffer
}

// Options adapt a server.
type Options struct {
	// Durable waits for the disk, so that a kill loses nothing.
	Durable bool
	// Settings are lines of postgresql.conf.
	Settings []string
}

// ErrMissing says that PostgreSQL is not installed.
var ErrMissing = errors.New("no PostgreSQL server is installed (Debian: apt-get install postgresql)")

// Start starts a server that ends with the test. It skips the test where
// PostgreSQL is not installed.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// New starts a server, which has to be closed. It returns ErrMissing where
// PostgreSQL is not installed.
func New(o Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "esd-pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	err = s.Own(dir)
	if err == nil {
		err = s.initialize(o)
	}
	if err == nil {
		err = s.Run()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.Exec("postgres", fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB PASSWORD '%s'", Role, Password)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// binaries is the directory of initdb and postgres, of the newest version where
// there are several.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	for _, path := range found {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			if _, err := os.Stat(filepath.Join(filepath.Dir(real), "postgres")); err == nil {
				return filepath.Dir(real), nil
			}
		}
	}
	return "", ErrMissing
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

func (s *Server) initialize(o Options) error {
	data := s.data()
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "-D", data, "-A", "trust", "-U", Superuser, "-N", "-E", "UTF8", "--locale=C")
	cmd.Dir = s.dir
	if err := s.demote(cmd); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.Port = port
	settings := append([]string{
		"listen_addresses = '127.0.0.1'", fmt.Sprintf("port = %d", port), "unix_socket_directories = ''",
		fmt.Sprintf("fsync = %t", o.Durable), "shared_buffers = 32MB", "log_min_messages = fatal", "max_connections = 100",
	}, o.Settings...)
	if err := s.configure(settings...); err != nil {
		return err
	}
	hba := fmt.Sprintf("host all %s 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n", Role)
	return os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600) // it keeps its owner
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Standby starts a server that follows this one, and takes no writes until it
// is promoted.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	return standby
}

func (s *Server) follow() (*Server, error) {
	dir, err := os.MkdirTemp("", "esd-pgtest-")
	if err != nil {
		return nil, err
	}
	f := &Server{bin: s.bin, dir: dir}
	if err := f.Own(dir); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(s.bin, "pg_basebackup"), "-D", f.data(), "-R", "-c", "fast", "-d", s.ConnString("postgres"))
	cmd.Dir = dir
	if err := s.demote(cmd); err != nil {
		return nil, err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	if f.Port, err = freePort(); err != nil {
		return nil, err
	}
	return f, errors.Join(f.configure(fmt.Sprintf("port = %d", f.Port)), f.Run())
}

// configure adds lines to postgresql.conf, of which the last of a name counts.
func (s *Server) configure(settings ...string) error {
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(strings.Join(settings, "\n") + "\n")
	return errors.Join(err, conf.Close())
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Run starts the server again after Kill or Stop, and waits until it answers.
func (s *Server) Run() error {
	deadline := time.After(time.Minute)
	for {
		if err := s.start(); err != nil {
			return err
		}
		for {
			if err := s.Exec("postgres", "SELECT"); err == nil {
				return nil
			}
			select {
			case <-s.exited: // it may have met the last of those that were killed
				time.Sleep(50 * time.Millisecond)
			case <-time.After(20 * time.Millisecond):
				continue
			case <-deadline:
				s.Kill()
				return fmt.Errorf("the server does not answer: %s", s.output)
			}
			break
		}
		select {
		case <-deadline:
			return fmt.Errorf("the server does not start: %s", s.output)
		default:
		}
	}
}

func (s *Server) start() error {
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data())
	cmd.Dir = s.dir
	output := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = time.Second // its children have the output too
	if err := s.demote(cmd); err != nil {
		return err
	}
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd, s.exited, s.output = cmd, exited, output
	return nil
}

// Kill kills the server as a crash of the machine would, without a word to
// anybody.
func (s *Server) Kill() { s.end(os.Kill) }

// Stop ends the server in good order, connections included.
func (s *Server) Stop() { s.end(os.Interrupt) }

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Signal(signal)
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	s.Stop()
	os.RemoveAll(s.dir)
}

// ConnString is a connection string for a database, as the superuser.
func (s *Server) ConnString(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", Superuser, s.Port, database)
}

// connect waits for a free connection.
func (s *Server) connect(ctx context.Context, database string) (*pgconn.PgConn, error) {
	for {
		conn, err := pgconn.Connect(ctx, s.ConnString(database))
		var full *pgconn.PgError
		if err == nil || !errors.As(err, &full) || full.Code != "53300" || ctx.Err() != nil {
			return conn, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Exec runs statements in a database, as the superuser.
func (s *Server) Exec(database, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql).ReadAll()
	return err
}

// Rows runs a statement in a database, as the superuser, and returns its rows,
// the columns of each separated by "|".
func (s *Server) Rows(database, sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, row := range results[len(results)-1].Rows {
		rows = append(rows, string(bytes.Join(row, []byte("|"))))
	}
	return rows, nil
}
