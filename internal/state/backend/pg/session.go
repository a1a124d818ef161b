package pg

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// markSpace is what the keys of the marks of one state have in common. The
// database is no part of it, as advisory locks belong to one.
func markSpace(schema, name string) string { return schema + "\x00" + name }

// key is the key of an advisory lock: 64 bits of a hash, so that it meets
// neither ours nor the small numbers that other programs use.
func key(what, of string) int64 {
	sum := sha256.Sum256([]byte("esd\x00" + what + "\x00" + of))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func (l *link) key(fence int64) int64 {
	return key("session", l.space+"\x00"+strconv.FormatInt(fence, 10))
}

// Begin implements register.Sessions. The mark is a shared advisory lock:
// clients that compete for the same fencing number do not get into each
// other's way, and those that look whether it is there take no lock at all.
func (s *Store) Begin(ctx context.Context, fence int64) (end func(), err error) {
	l := s.link
	for range attempts {
		err = l.useThe(ctx, func(*pgconn.PgConn) error {
			if err := l.mark(ctx, fence); err != nil {
				return err
			}
			l.fences[fence]++
			l.show()
			return nil
		})
		if err == nil || !passing(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, s.errors.explain(ctx, "locking", err)
	}
	return sync.OnceFunc(func() { l.unmark(fence) }), nil
}

// keepAlive makes the server notice within half a minute that the host of the
// holder is gone, and keeps it from ending a session in which nothing happens.
// What the server does not know is left out.
const keepAlive = `SELECT count(set_config(name, value, false))::bigint FROM (VALUES
	('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4'), ('idle_session_timeout', '0')
) AS wanted (name, value) JOIN pg_catalog.pg_settings USING (name)`

// locked is the condition that some session has the advisory lock $1.
const locked = `locktype = 'advisory' AND granted AND objsubid = 1
	AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
	AND classid = ($1::bigint >> 32 & 4294967295)::oid AND objid = ($1::bigint & 4294967295)::oid`

// mark marks the connection. A pooler is told by its answering for the server:
// the process that has the lock is then not the one that greeted us, or another
// one from statement to statement.
func (l *link) mark(ctx context.Context, fence int64) error {
	if l.pooled {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := query(ctx, l.conn, `SELECT pg_try_advisory_lock_shared($1::bigint)`, l.key(fence)); err != nil {
		return err
	}
	rows, err := query(ctx, l.conn, `SELECT pid::bigint FROM pg_catalog.pg_locks WHERE `+locked+` AND pid = pg_backend_pid()`, l.key(fence))
	switch {
	case err != nil:
	case len(rows) == 0 || integer(rows[0][0]) != int64(l.conn.PID()):
		l.pooled = true
		_, err = query(ctx, l.conn, unlock, l.key(fence))
	default:
		_, err = query(ctx, l.conn, keepAlive)
	}
	if err != nil {
		hangUp(l.conn) // and with it the lock, if it was taken
	}
	return err
}

const unlock = `SELECT pg_advisory_unlock_shared($1::bigint)`

// unmark takes one mark away.
func (l *link) unmark(fence int64) {
	_ = l.take(context.Background())
	defer l.give()
	if l.fences[fence]--; l.fences[fence] <= 0 {
		delete(l.fences, fence)
	}
	l.show()
	if l.conn == nil || l.conn.IsClosed() || l.pooled {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := query(ctx, l.conn, unlock, l.key(fence)); err != nil {
		hangUp(l.conn)
	}
}

// show makes known to swaps which marks the connection bears.
func (l *link) show() {
	var fences []int64
	if l.conn != nil && !l.pooled {
		fences = slices.Sorted(maps.Keys(l.fences))
	}
	l.marked.Store(&fences)
}

// marks are the fencing numbers that the connection is surely marked with, as
// an array of SQL. They are recorded by each swap: only of a mark that was there
// can be said that it is gone.
func (l *link) marks() string {
	var fences []string
	if marked := l.marked.Load(); marked != nil {
		for _, fence := range *marked {
			fences = append(fences, strconv.FormatInt(fence, 10))
		}
	}
	return "{" + strings.Join(fences, ",") + "}"
}

// comeBack is how long a holder whose connection was cut has to make another
// one, which it tries every fraction of that.
const comeBack = time.Second

// Gone implements register.Sessions. It takes a second look after a while, so
// that a holder which lost nothing but its connection keeps the lock. A standby
// does not know the locks of its primary, and says nothing.
func (s *Store) Gone(ctx context.Context, fence int64) (bool, error) {
	for look := range 2 {
		if look > 0 {
			select {
			case <-ctx.Done():
				return false, context.Cause(ctx)
			case <-time.After(comeBack):
			}
		}
		rows, err := s.read(ctx, patience, `SELECT $2::bigint = ANY (sessions) AND NOT pg_is_in_recovery()
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE `+locked+`)
			FROM `+s.tables.states+` WHERE name = $3`, s.link.key(fence), fence, s.name)
		if err != nil || len(rows) == 0 || !truth(rows[0][0]) {
			return false, err
		}
	}
	return true, nil
}
