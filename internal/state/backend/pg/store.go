// Package pg keeps states in a PostgreSQL database.
//
// Two tables hold everything: esd_states has one row for each state, the head
// with its version, and esd_documents the versions of the state that heads
// point at. A swap of the head is one UPDATE that names the version it
// replaces, so that it is right whatever stands between client and server.
//
// A holder marks itself besides by an advisory lock, which the server drops
// when the connection ends, however that ends: a holder that was killed is known
// to be gone within a second. The mark is only a shortcut. It frees no lock that
// its holder still renews, and where it cannot be relied on, as behind a pooler
// that hands one connection to many, the row says so and the lease alone counts.
package pg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/register"
)

// How long the server may take, so that one which hangs is noticed.
const (
	patience         = 30 * time.Second
	documentPatience = 10 * time.Minute
)

// largest is the largest document that is read, in bytes; that a document is
// compressed does not make it larger than this.
const largest = state.MaxSize

// Options say where a state is kept.
type Options struct {
	// ConnString is a connection string as libpq has it: a URL or
	// "key=value ...". What it does not say comes from the variables, password
	// file and service file of libpq.
	ConnString string
	// Schema holds the tables, Name is the state.
	Schema, Name string
	// SkipSchemaCreation and SkipTableCreation leave to others what the role
	// may not create.
	SkipSchemaCreation, SkipTableCreation bool
	// UserAgent is how connections name themselves.
	UserAgent string
}

// Store is one state in a database. It implements register.Sessions.
type Store struct {
	tables tables
	name   string
	link   *link
	errors explainer
}

var (
	_ register.Sessions = (*Store)(nil)
	_ register.Lister   = (*Store)(nil)
)

// NewStore returns a store. Nobody is asked yet; an error says what is wrong
// with the connection string, without repeating it.
func NewStore(o Options) (*Store, error) {
	config, err := parse(o)
	if err != nil {
		return nil, err
	}
	return &Store{
		tables: newTables(o),
		name:   o.Name,
		link:   newLink(config, markSpace(o.Schema, o.Name)),
		errors: newExplainer(config, o),
	}, nil
}

// Location implements register.Store.
func (s *Store) Location() string { return s.errors.location }

// Load implements register.Store.
func (s *Store) Load(ctx context.Context) (head []byte, version string, err error) {
	rows, err := s.read(ctx, patience, `SELECT version, head FROM `+s.tables.states+` WHERE name = $1`, s.name)
	if err != nil || len(rows) == 0 {
		return nil, "", err
	}
	return rows[0][1], strconv.FormatInt(integer(rows[0][0]), 10), nil
}

// durable makes a commit wait for the disk also where the database is set not
// to wait: what was reported must survive the server. A document too, as the
// server may be killed and back before the head is swapped to point at it.
const durable = `(SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END) AS durable`

// tick is the present time in microseconds. Versions grow with it, so that a row
// that was deleted, or a database that was restored from a copy, never comes to
// a version which somebody has seen with another head.
const tick = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// Swap implements register.Store.
func (s *Store) Swap(ctx context.Context, version string, head []byte) (next string, err error) {
	sql := `INSERT INTO ` + s.tables.states + ` (name, head, sessions, version) SELECT $1, $2::bytea, $3::bigint[], ` + tick + ` FROM ` + durable +
		` ON CONFLICT (name) DO NOTHING RETURNING version`
	args := []any{s.name, head, s.link.marks()}
	if version != "" {
		old, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return "", fmt.Errorf("swap the state at %s: %q is no version", s.Location(), version)
		}
		sql = `UPDATE ` + s.tables.states + ` AS s SET head = $2::bytea, sessions = $3::bigint[], version = greatest(version + 1, ` + tick + `), updated = now() FROM ` +
			durable + ` WHERE name = $1 AND version = $4::bigint RETURNING version`
		args = append(args, old)
	}
	rows, err := s.write(ctx, patience, once, sql, args...)
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", register.ErrChanged
	}
	return strconv.FormatInt(integer(rows[0][0]), 10), nil
}

// Put implements register.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	rows, err := s.write(ctx, documentPatience, repeatable, `INSERT INTO `+s.tables.documents+` (state, name, data) SELECT $1, $2, $3::bytea FROM `+durable+
		` ON CONFLICT DO NOTHING RETURNING 1::bigint`, s.name, name, data)
	if err != nil || len(rows) > 0 {
		return err
	}
	rows, err = s.write(ctx, documentPatience, repeatable, `SELECT data = $3::bytea FROM `+s.tables.documents+` WHERE state = $1 AND name = $2`, s.name, name, data)
	if err == nil && (len(rows) == 0 || !truth(rows[0][0])) {
		return &backend.UntrustedError{Location: s.Location(), Problem: fmt.Sprintf("it has a document %s already, and another one", name),
			Fix: "look whether somebody else writes to " + s.tables.documents}
	}
	return err
}

// Get implements register.Store. The size is looked at before the document is
// asked for.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	rows, err := s.read(ctx, documentPatience, `SELECT octet_length(data)::bigint, CASE WHEN octet_length(data) <= $3::bigint THEN data END FROM `+
		s.tables.documents+` WHERE state = $1 AND name = $2`, s.name, name, int64(largest))
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, fmt.Errorf("document %s of the state at %s: %w", name, s.Location(), fs.ErrNotExist)
	case rows[0][1] == nil:
		return nil, &state.FormatError{Source: s.Location(), Err: state.ErrTooLarge,
			Detail: fmt.Sprintf("document %s has %d bytes, the limit is %d", name, integer(rows[0][0]), largest), Fix: "check the name of the state"}
	}
	return rows[0][1], nil
}

// Delete implements register.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	_, err := s.run(ctx, patience, repeatable, `DELETE FROM `+s.tables.documents+` WHERE state = $1 AND name = $2`, s.name, name)
	if code(err) == undefinedTable {
		return nil
	}
	return s.errors.explain(ctx, "writing", err)
}

// List implements register.Lister.
func (s *Store) List(ctx context.Context) ([]string, error) {
	rows, err := s.read(ctx, patience, `SELECT convert_to(name, 'UTF8') FROM `+s.tables.documents+` WHERE state = $1 ORDER BY created`, s.name)
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = string(row[0])
	}
	return names, err
}

// read runs a statement for which a table that is not there has no rows.
func (s *Store) read(ctx context.Context, limit time.Duration, sql string, args ...any) ([][][]byte, error) {
	rows, err := s.run(ctx, limit, repeatable, sql, args...)
	if code(err) == undefinedTable {
		return nil, nil
	}
	return rows, s.errors.explain(ctx, "reading", err)
}

// write runs a statement, and makes the tables first where there are none.
func (s *Store) write(ctx context.Context, limit time.Duration, how manner, sql string, args ...any) ([][][]byte, error) {
	rows, err := s.run(ctx, limit, how, sql, args...)
	if code(err) == undefinedTable {
		if err = s.create(ctx); err == nil {
			rows, err = s.run(ctx, limit, how, sql, args...)
		}
	}
	return rows, s.errors.explain(ctx, "writing", err)
}

// manner says whether a statement may be sent again when its answer was lost.
type manner bool

const (
	once       manner = false
	repeatable manner = true
)

// attempts bounds how often a statement is sent. Each attempt waits besides for
// a server that comes back, see link.
const attempts = 5

// run runs a statement on the connection of the client, again where that can
// help and cannot harm.
func (s *Store) run(ctx context.Context, limit time.Duration, how manner, sql string, args ...any) (rows [][][]byte, err error) {
	for range attempts {
		err = s.link.use(ctx, func(conn *pgconn.PgConn) error {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			rows, err = query(ctx, conn, sql, args...)
			return err
		})
		if err == nil || ctx.Err() != nil || !passing(err) || bool(!how) && doubtful(err) {
			return rows, err
		}
	}
	return nil, err
}

// query runs one statement without preparing it, which poolers may not endure.
// All columns must be of type bigint, boolean or bytea.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args ...any) ([][][]byte, error) {
	values, formats := make([][]byte, len(args)), make([]int16, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case []byte:
			values[i], formats[i] = arg, 1
			if arg == nil {
				values[i] = []byte{} // and not null
			}
		default:
			values[i] = fmt.Append(nil, arg)
		}
	}
	result := conn.ExecParams(ctx, sql, values, nil, formats, []int16{1}).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	return result.Rows, nil
}

// integer is a column of type bigint.
func integer(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// truth is a column of type boolean; null is false.
func truth(b []byte) bool { return len(b) == 1 && b[0] == 1 }

// code is the SQLSTATE of an error, "" if it is none of the server.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
