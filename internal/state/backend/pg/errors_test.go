package pg_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/pg/pgtest"
)

// careful is a connection string of the role that has a password.
func careful(s *pgtest.Server, database, password string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s password='%s' sslmode=disable", s.Port, pgtest.Role, database, password)
}

func TestFailuresAreExplained(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	for name, tc := range map[string]struct {
		prepare string // is run in the database
		change  func(p *place, database string)
		read    bool // whether reading fails already
		want    []string
	}{
		"nobody listens": {
			change: func(p *place, _ string) {
				p.ConnString = fmt.Sprintf("postgres://u:%s@127.0.0.1:%d/x", pgtest.Password, unusedPort(t))
			},
			read: true, want: []string{"connection refused", "check that the server runs"},
		},
		"a host that does not exist": {
			change: func(p *place, _ string) {
				p.ConnString = "host=no-such-host.invalid user=u password=" + pgtest.Password
			},
			read: true, want: []string{"no-such-host.invalid", "check the name of the host"},
		},
		"a wrong password": {
			change: func(p *place, database string) { p.ConnString = careful(server, database, "wrong-"+pgtest.Password) },
			read:   true, want: []string{"28P01", "check the user (careful) and the password", "PGPASSFILE"},
		},
		"no password": {
			change: func(p *place, database string) {
				p.ConnString = strings.Replace(careful(server, database, ""), "password=''", "", 1)
			},
			read: true, want: []string{"check the user (careful) and the password"},
		},
		"a missing database": {
			change: func(p *place, database string) { p.ConnString = careful(server, database+"x", pgtest.Password) },
			read:   true, want: []string{"3D000", `CREATE DATABASE "test_`},
		},
		"no right to create the schema": {
			change: func(p *place, database string) { p.ConnString = careful(server, database, pgtest.Password) },
			want:   []string{"42501", `CREATE SCHEMA IF NOT EXISTS "esd"; GRANT USAGE, CREATE ON SCHEMA "esd" TO "careful"`},
		},
		"no right to use the schema": {
			prepare: "CREATE SCHEMA esd",
			change:  func(p *place, database string) { p.ConnString = careful(server, database, pgtest.Password) },
			read:    true, want: []string{"42501", "GRANT USAGE, CREATE"},
		},
		"no right to create tables": {
			prepare: "CREATE SCHEMA esd; GRANT USAGE ON SCHEMA esd TO careful",
			change:  func(p *place, database string) { p.ConnString = careful(server, database, pgtest.Password) },
			want:    []string{"42501", "GRANT USAGE, CREATE"},
		},
		"a schema that must not be created": {
			change: func(p *place, _ string) { p.SkipSchemaCreation = true },
			want:   []string{`schema "esd" does not exist`, `CREATE SCHEMA IF NOT EXISTS "esd"; CREATE TABLE "esd".esd_states`},
		},
		"tables that must not be created": {
			change: func(p *place, _ string) { p.SkipTableCreation = true },
			want:   []string{`"esd".esd_states does not exist`, `CREATE TABLE "esd".esd_states`},
		},
		"a table of somebody else": {
			prepare: "CREATE SCHEMA esd; CREATE TABLE esd.esd_states (id int)",
			read:    true, want: []string{"42703", "name another schema_name"},
		},
		"transactions that may not write": {
			prepare: "ALTER DATABASE %s SET default_transaction_read_only = on",
			want:    []string{"25006", "target_session_attrs=read-write"},
		},
		"a server that has no TLS where it is wanted": {
			change: func(p *place, _ string) { p.ConnString = strings.Replace(p.ConnString, "disable", "require", 1) },
			read:   true, want: []string{"server refused TLS connection"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, database := newPlace(t, server)
			if tc.prepare != "" {
				exec(t, server, database, strings.ReplaceAll(tc.prepare, "%s", database))
			}
			if tc.change != nil {
				tc.change(&p, database)
			}
			b := open(p.location())
			if _, _, err := b.Read(t.Context()); tc.read {
				mustExplain(t, err, tc.want...)
			} else if err != nil {
				t.Errorf("read: %v", err)
			}
			_, err := b.Lock(t.Context(), request("apply"))
			mustExplain(t, err, tc.want...)
		})
	}
}

// mustExplain checks an error of a server that cannot, and that it tells no
// secret.
func mustExplain(t *testing.T, err error, want ...string) {
	t.Helper()
	var unreachable *backend.UnreachableError
	if !errors.As(err, &unreachable) || unreachable.Doubt {
		t.Errorf("got %v", err)
		return
	}
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not say %q: %v", words, err)
		}
	}
	if strings.Contains(err.Error(), pgtest.Password) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error tells the password, or has several lines: %v", err)
	}
}

func unusedPort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestRightsToUseTheTablesAreEnough(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	l := lock(t, open(p.location()))
	if err := l.Write(t.Context(), newState(1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.ConnString = careful(server, database, pgtest.Password)
	exec(t, server, database, "GRANT USAGE ON SCHEMA esd TO careful; GRANT SELECT ON ALL TABLES IN SCHEMA esd TO careful")
	if s, _, err := open(p.location()).Read(t.Context()); err != nil || s.Serial != 1 {
		t.Errorf("with the right to read: %v, %v", s, err)
	}
	_, err := open(p.location()).Lock(t.Context(), request("apply"))
	mustExplain(t, err, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES")
	exec(t, server, database, "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA esd TO careful")
	l = lock(t, open(p.location()))
	if err := l.Write(t.Context(), newState(2)); err != nil {
		t.Error(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoDatabaseIsNotBelieved(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for name, serve := range map[string]func(net.Conn){
		"a web server":                 nil,
		"one that answers nonsense":    func(c net.Conn) { fmt.Fprintln(c, strings.Repeat("<html>", 100)) },
		"one that hangs up":            func(net.Conn) {},
		"one that says nothing at all": func(c net.Conn) { time.Sleep(3 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			address := web.Listener.Addr().String()
			if serve != nil {
				address = listen(t, serve)
			}
			p := place{Options: pg.Options{ConnString: "postgres://u:" + pgtest.Password + "@" + address + "/x?connect_timeout=1", Schema: "esd", Name: "x"}}
			_, _, err := open(p.location()).Read(t.Context())
			var unreachable *backend.UnreachableError
			var untrusted *backend.UntrustedError
			if !errors.As(err, &unreachable) && !errors.As(err, &untrusted) || strings.Contains(err.Error(), pgtest.Password) {
				t.Errorf("got %v", err)
			}
			t.Log(err)
		})
	}
}

// listen serves each connection with a function, and closes it.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestAStatementThatTakesTooLongIsAnError(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	version := swap(t, newStore(t, p), "", "head")
	blocked := make(chan error, 1)
	go func() {
		blocked <- server.Exec(database, "BEGIN; LOCK TABLE esd.esd_states IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT")
	}()
	eventually(t, "blocked", func() bool {
		return rows(t, server, database, "SELECT count(*) FROM pg_locks WHERE relation = 'esd.esd_states'::regclass AND granted AND mode = 'AccessExclusiveLock'")[0] == "1"
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := newStore(t, p).Load(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("load: %v", err)
	}
	var unreachable *backend.UnreachableError
	if _, err := newStore(t, p).Swap(ctx, version, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("swap when time was up already: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := newStore(t, p).Swap(ctx, version, []byte("x")); !errors.As(err, &unreachable) || !unreachable.Doubt {
		t.Errorf("swap: %v", err)
	}
	p.ConnString += "&statement_timeout=200"
	_, _, err := newStore(t, p).Load(t.Context())
	mustExplain(t, err, "57014", "raise statement_timeout")
	if err := <-blocked; err != nil {
		t.Error(err)
	}
}

func TestALostAnswerIsADoubt(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	for name, lost := range map[string]string{"the request is lost": "request", "the answer is lost": "answer"} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPlace(t, server)
			line := startProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
			store := newStore(t, line.through(p))
			version := swap(t, store, "", "one")
			never := func([]byte) ([]byte, bool) { return nil, false }
			if lost == "answer" {
				line.filter(nil, never)
			} else {
				line.filter(never, nil)
			}
			_, err := store.Swap(t.Context(), version, []byte("two"))
			var unreachable *backend.UnreachableError
			if !errors.As(err, &unreachable) || !unreachable.Doubt {
				t.Errorf("got %v", err)
			}
			line.filter(nil, nil)
			head, _, err := store.Load(t.Context())
			if want := map[string]string{"request": "one", "answer": "two"}[lost]; string(head) != want || err != nil {
				t.Errorf("the head is %q, %v; want %q", head, err, want)
			}
		})
	}
	t.Run("a write finds out what became of it", func(t *testing.T) {
		p, _ := newPlace(t, server)
		line := startProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
		b := open(line.through(p).location())
		l := lock(t, b)
		for serial := range int64(20) {
			left := int(serial)
			line.filter(nil, func(data []byte) ([]byte, bool) { // the n-th answer is lost
				left--
				return data, left != 0
			})
			if err := l.Write(t.Context(), newState(serial+1)); err != nil {
				t.Fatalf("serial %d: %v", serial+1, err)
			}
		}
		line.filter(nil, nil)
		if s, _, err := open(p.location()).Read(t.Context()); err != nil || s.Serial != 20 {
			t.Errorf("%v, %v", s, err)
		}
		if err := l.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionStringsTellNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, conn := range []string{
		"postgres://u:" + secret + "@host:nonsense/x", "postgres://u:" + secret + "@host:99999999/x", "postgres://u:a/" + secret + "?x@host/x",
		"postgres://u:%zz" + secret + "@host/x", "host=h password='" + secret, "host=h password=" + secret + " port=x",
		"host=h pass word=" + secret, secret, "postgres://u:" + secret + "@host/x?sslmode=nonsense", "postgres://host/x?sslrootcert=/nowhere/" + secret,
		"service=" + secret, "postgres://u@host/x?target_session_attrs=" + secret, "postgresql:/u:" + secret + "@host/x",
	} {
		_, err := pg.NewStore(pg.Options{ConnString: conn, Schema: "esd", Name: "x"})
		if err == nil {
			t.Errorf("%s was accepted", conn)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", conn, err)
		}
	}
	for conn, want := range map[string]string{
		"postgres://u:" + secret + "@db.example.org/ci":                              "postgresql://db.example.org:5432/ci/esd/team/app",
		"host=db.example.org port=6432 user=u password=" + secret:                    "postgresql://db.example.org:6432/u/esd/team/app",
		"postgres://u:" + secret + "@a,b:6000/ci?target_session_attrs=read-write":    "postgresql://a:5432/ci/esd/team/app",
		"host=/run/postgresql user=u dbname='c i' password=" + secret:                "postgresql://%2Frun%2Fpostgresql:5432/c%20i/esd/team/app",
		"postgres://db.example.org/ci?password=" + secret + "&user=u":                "postgresql://db.example.org:5432/ci/esd/team/app",
		"postgres://u:" + secret + "@[::1]:5433/ci?application_name=x&sslmode=allow": "postgresql://[::1]:5433/ci/esd/team/app",
	} {
		store, err := pg.NewStore(pg.Options{ConnString: conn, Schema: "esd", Name: "team/app"})
		if err != nil {
			t.Errorf("%s: %v", conn, err)
		} else if store.Location() != want {
			t.Errorf("%s: location %s, want %s", conn, store.Location(), want)
		}
	}
}

func TestWhatABlockMaySay(t *testing.T) {
	t.Parallel()
	kind := pg.Kind()
	env := map[string]string{}
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for name, tc := range map[string]struct {
		block map[string]cty.Value
		env   map[string]string
		want  string // location, or a part of the error
	}{
		"everything": {
			block: map[string]cty.Value{"conn_str": cty.StringVal("postgres://h/d"), "name": cty.StringVal("n"), "schema_name": cty.StringVal("s"),
				"skip_schema_creation": cty.True, "skip_table_creation": cty.True, "keep": cty.NumberIntVal(3), "lease": cty.StringVal("30s")},
			want: "postgresql://h:5432/d/s/n",
		},
		"variables": {env: map[string]string{"PG_CONN_STR": "postgres://h/d", "ESD_PG_NAME": "n", "PG_SCHEMA_NAME": "s", "PG_SKIP_TABLE_CREATION": "true"}, want: "postgresql://h:5432/d/s/n"},
		"our variable before Terraform's": {
			env: map[string]string{"ESD_PG_CONN_STR": "postgres://a/d", "PG_CONN_STR": "postgres://b/d", "ESD_PG_NAME": "n"}, want: "postgresql://a:5432/d/esd/n",
		},
		"no name":                  {block: map[string]cty.Value{"conn_str": cty.StringVal("postgres://h/d")}, want: "needs name (or ESD_PG_NAME in the environment)"},
		"a name that leads upward": {block: map[string]cty.Value{"name": cty.StringVal("a/../b")}, want: "no empty parts"},
		"a name with control characters": {
			block: map[string]cty.Value{"name": cty.StringVal("a\x01")}, want: "no control characters",
		},
		"a schema that is too long": {
			block: map[string]cty.Value{"name": cty.StringVal("a"), "schema_name": cty.StringVal(strings.Repeat("s", 64))}, want: "63 bytes",
		},
		"a number of versions to keep that cannot be": {
			block: map[string]cty.Value{"name": cty.StringVal("a"), "keep": cty.NumberFloatVal(1.5)}, want: "a whole number from 1 to 1000",
		},
		"a lease that is too short": {block: map[string]cty.Value{"name": cty.StringVal("a"), "lease": cty.StringVal("1s")}, want: "a lease lasts"},
	} {
		block := cty.NilVal
		if tc.block != nil {
			block = cty.ObjectVal(tc.block)
		}
		env = tc.env
		settings, err := kind.Decode(block, getenv)
		if err == nil {
			_, err = kind.Open(settings, backend.Env{UserAgent: "esd/0.1.0"})
		}
		if err != nil {
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		store, err := pg.NewStore(pg.Options{ConnString: settings.String("conn_str"), Schema: cmp.Or(settings.String("schema_name"), pg.DefaultSchema), Name: settings.String("name")})
		if err != nil || store.Location() != tc.want {
			t.Errorf("%s: %v, %v", name, store, err)
		}
	}
}
