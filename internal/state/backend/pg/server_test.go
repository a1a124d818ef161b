package pg_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/pg/pgtest"
)

// update adds an object to the state under the lock, as an apply does, and
// reports whether that was acknowledged.
func update(ctx context.Context, b backend.Backend, address string) (written bool, err error) {
	l, err := backend.Acquire(ctx, b, request("apply"), backend.WaitOptions{Timeout: time.Minute, MinDelay: 5 * time.Millisecond, MaxDelay: 200 * time.Millisecond})
	if err != nil {
		return false, err
	}
	s, _, err := b.Read(ctx)
	if err == nil {
		if s == nil {
			s = newState(0)
		}
		next := s.Clone()
		next.Serial++
		key := sha256.Sum256([]byte(address))
		next.Put(&state.Object{Address: address, Kind: "recipe", Key: hex.EncodeToString(key[:]), When: "2026-11-21T10:00:00Z",
			Attributes: state.Attributes{"serial": next.Serial}})
		if err = l.Write(ctx, next); err == nil {
			written = true
		}
	}
	return written, errors.Join(err, l.Unlock(ctx))
}

func TestAServerThatIsKilledLosesNoUpdate(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("killing servers is left out with -short")
	}
	server := pgtest.Start(t, pgtest.Options{Durable: true})
	p, database := newPlace(t, server)
	// What is acknowledged has to be on the disk even here.
	exec(t, server, database, "ALTER DATABASE "+database+" SET synchronous_commit = off")
	ctx, stop := context.WithCancel(t.Context())
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked = map[string]bool{}
	)
	for client := range 5 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				address := fmt.Sprintf("recipe.p%d-%d", client, n)
				written, err := update(ctx, open(p.location()), address)
				var untrusted *backend.UntrustedError
				if errors.As(err, &untrusted) {
					t.Errorf("update %s: %v", address, err)
				}
				mu.Lock()
				if written {
					acked[address] = true
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	progress := func() {
		mu.Lock()
		before := len(acked)
		mu.Unlock()
		eventually(t, "on the way", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) >= before+5
		})
		time.Sleep(rand.N(200 * time.Millisecond))
	}
	for range 5 {
		progress()
		server.Kill()
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
	}
	progress()
	stop()
	wg.Wait()
	s, _, err := open(p.location()).Read(t.Context())
	if err != nil || s == nil {
		t.Fatalf("%v, %v", s, err)
	}
	serials := map[int64]bool{}
	for _, o := range s.Objects {
		serial, _ := o.Attributes.Int("serial")
		serials[serial] = true
		delete(acked, o.Address)
	}
	if len(acked) > 0 {
		t.Errorf("updates were acknowledged and lost: %v", acked)
	}
	if int64(len(serials)) != s.Serial || len(s.Objects) != len(serials) {
		t.Errorf("serial %d, %d objects, %d serials", s.Serial, len(s.Objects), len(serials))
	}
	t.Logf("%d updates", s.Serial)
}

func TestAHolderKeepsTheLockWhileTheServerStartsAgain(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Durable: true})
	for name, end := range map[string]func(){"stopped": server.Stop, "killed": server.Kill} {
		p, _ := newPlace(t, server)
		l := lock(t, open(p.location()))
		if err := l.Write(t.Context(), newState(1)); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				b := open(p.location())
				for ctx.Err() == nil {
					if l, err := b.Lock(ctx, request("other")); err == nil {
						t.Errorf("%s: somebody else took the lock", name)
						_ = l.Unlock(context.Background())
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		end()
		time.Sleep(500 * time.Millisecond)
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
		if err := l.Write(t.Context(), newState(2)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		time.Sleep(2 * time.Second)
		stop()
		wg.Wait()
		if err := l.Unlock(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStandbyReadsAndTakesOver(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t, pgtest.Options{})
	standby := primary.Standby(t)
	p, database := newPlace(t, primary)
	both := p
	both.ConnString = fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=%s dbname=%s sslmode=disable target_session_attrs=read-write",
		primary.Port, standby.Port, pgtest.Superuser, database)
	l := lock(t, open(both.location()))
	if err := l.Write(t.Context(), newState(1)); err != nil {
		t.Fatal(err)
	}
	there := p
	there.ConnString = standby.ConnString(database)
	eventually(t, "at the standby", func() bool {
		s, _, err := open(there.location()).Read(t.Context())
		return err == nil && s != nil && s.Serial == 1
	})
	mustBeGone(t, newStore(t, there), 1, false) // which it cannot know
	_, err := newStore(t, there).Swap(t.Context(), "", []byte("x"))
	mustExplain(t, err, "25006", "target_session_attrs=read-write")

	primary.Kill()
	exec(t, standby, "postgres", "SELECT pg_promote()")
	if err := l.Write(t.Context(), newState(2)); err != nil {
		t.Error(err)
	}
	var locked *backend.LockedError
	if _, err := open(there.location()).Lock(t.Context(), request("other")); !errors.As(err, &locked) {
		t.Errorf("after the failover: %v", err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClientsWaitForAFreeConnection(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Settings: []string{"max_connections = 8", "superuser_reserved_connections = 3", "max_wal_senders = 0"}})
	p, database := newPlace(t, server)
	exec(t, server, database, "GRANT CREATE ON DATABASE "+database+" TO careful")
	p.ConnString = careful(server, database, pgtest.Password)

	const clients = 20 // and five connections
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			if _, err := update(t.Context(), open(p.location()), fmt.Sprintf("recipe.p%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s, _, err := open(p.location()).Read(t.Context()); err != nil || s.Serial != clients || len(s.Objects) != clients {
		t.Errorf("%v, %v", s, err)
	}

	taken := occupy(t, p.ConnString, 5)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := open(p.location()).Read(ctx)
	if err == nil || !strings.Contains(err.Error(), "53300") {
		t.Errorf("while there is none: %v", err)
	}
	time.AfterFunc(500*time.Millisecond, func() { taken[0].Close(context.Background()) })
	if _, _, err := open(p.location()).Read(t.Context()); err != nil {
		t.Errorf("after one is free: %v", err)
	}
}

// occupy takes connections, once there are so many.
func occupy(t *testing.T, conn string, n int) []*pgconn.PgConn {
	t.Helper()
	var taken []*pgconn.PgConn
	eventually(t, "occupied", func() bool {
		c, err := pgconn.Connect(t.Context(), conn)
		if err == nil {
			taken = append(taken, c)
		}
		return len(taken) == n
	})
	t.Cleanup(func() {
		for _, c := range taken {
			c.Close(context.Background())
		}
	})
	return taken
}
