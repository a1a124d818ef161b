package pg

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// idle is how long a client that holds no lock keeps a connection which it
	// does not use: those who wait for a lock share the few that a server has.
	idle = time.Second
	// busy is how long an operation waits for the connection before it takes
	// one of its own, so that a heartbeat gets past a long write.
	busy = 500 * time.Millisecond
	// crowded and away bound the waiting for a server that has no free
	// connection, and for one that was there before.
	crowded = time.Minute
	away    = 30 * time.Second
)

// link is the connection of a client: one, that is made when needed, closed
// when idle, and kept while the client holds a lock.
type link struct {
	config *pgconn.Config
	space  string // of the keys of marks
	known  atomic.Bool
	marked atomic.Pointer[[]int64] // see marks

	turn chan struct{} // has room for the one who uses what follows
	conn *pgconn.PgConn
	rest *rest
	// fences are those that this client is marked with, and how often.
	fences map[int64]int
	// pooled: connections lead to a pooler, where marks mean nothing.
	pooled bool
	// restoring: somebody is at work to get the marks back.
	restoring bool
}

// rest is a goroutine that looks at the connection while nobody uses it.
type rest struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newLink(config *pgconn.Config, space string) *link {
	return &link{config: config, space: space, turn: make(chan struct{}, 1), fences: map[int64]int{}}
}

// use runs work on the connection, or on one of its own if that is in use for
// long.
func (l *link) use(ctx context.Context, work func(*pgconn.PgConn) error) error {
	soon, cancel := context.WithTimeout(ctx, busy)
	err := l.take(soon)
	cancel()
	switch {
	case err == nil:
		return l.taken(ctx, work)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	conn, err := l.dial(ctx, longestPause)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	return work(conn)
}

// useThe runs work on the one connection, however long that is in use.
func (l *link) useThe(ctx context.Context, work func(*pgconn.PgConn) error) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	return l.taken(ctx, work)
}

func (l *link) taken(ctx context.Context, work func(*pgconn.PgConn) error) error {
	defer l.give()
	if err := l.connect(ctx); err != nil {
		return err
	}
	return work(l.conn)
}

// take waits until nobody else uses the connection.
func (l *link) take(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.rest != nil {
		l.rest.cancel()
		<-l.rest.done
		l.rest = nil
	}
	return nil
}

// give lets others use the connection, and has it watched until they do.
func (l *link) give() {
	alive := l.conn != nil && !l.conn.IsClosed()
	switch {
	case alive:
		l.rest = l.watch(l.conn, len(l.fences) > 0 && !l.pooled)
	case len(l.fences) > 0 && !l.pooled && !l.restoring:
		l.restoring = true
		go l.restore()
	}
	<-l.turn
}

// watch notices at once when the server ends the connection. One that bears
// marks is then made again; one that does not is closed when it was idle.
func (l *link) watch(conn *pgconn.PgConn, keep bool) *rest {
	ctx, cancel := context.WithTimeout(context.Background(), idle)
	if keep {
		cancel()
		ctx, cancel = context.WithCancel(context.Background())
	}
	r := &rest{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer cancel()
		for conn.WaitForNotification(ctx) == nil { // nobody notifies us
		}
		used := errors.Is(ctx.Err(), context.Canceled)
		close(r.done)
		if !used && l.take(context.Background()) == nil {
			if l.conn == conn {
				hangUp(conn)
				l.conn = nil
			}
			l.give()
		}
	}()
	return r
}

// restore makes the connection again and again until it bears the marks.
func (l *link) restore() {
	for {
		_ = l.take(context.Background())
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		failed := len(l.fences) > 0 && l.connect(ctx) != nil
		cancel()
		l.restoring = failed
		l.give()
		if !failed {
			return
		}
		time.Sleep(comeBack / 5)
	}
}

// connect sees to it that there is a connection, and that it bears the marks.
func (l *link) connect(ctx context.Context) error {
	if l.conn != nil && !l.conn.IsClosed() {
		return nil
	}
	l.conn = nil
	l.show()
	longest := longestPause
	if len(l.fences) > 0 {
		longest = comeBack / 5
	}
	conn, err := l.dial(ctx, longest)
	if err != nil {
		return err
	}
	l.conn = conn
	for fence := range l.fences {
		if err := l.mark(ctx, fence); err != nil {
			return err
		}
	}
	l.show()
	return nil
}

// The time between two attempts to connect doubles from one to the other.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 2 * time.Second
)

// dial makes a connection. It waits for a server that has none to spare or is
// just starting and, when it was there before, for one that is away.
func (l *link) dial(ctx context.Context, longest time.Duration) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, crowded)
	defer cancel()
	waited := time.Duration(0)
	var before error
	for delay := shortestPause; ; delay = min(2*delay, longest) {
		conn, err := pgconn.ConnectConfig(ctx, l.config)
		if err == nil {
			l.known.Store(true)
			return conn, nil
		}
		if before != nil && pgconn.Timeout(err) {
			err = before // it says more
		}
		before = err
		if waited >= l.worthWaiting(err) {
			return nil, err
		}
		pause := delay/2 + rand.N(delay/2+1)
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
			waited += pause
		}
	}
}

// worthWaiting is for how long it is worth to try again after an error.
func (l *link) worthWaiting(err error) time.Duration {
	switch code(err) {
	case tooManyConnections:
		return crowded
	case cannotConnectNow, adminShutdown, crashShutdown:
		return away
	case "":
		if l.known.Load() {
			return away
		}
	}
	return 0
}

// hangUp closes a connection as the protocol wants it, if that is possible.
func hangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
