package pg

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"esd/internal/state/backend"
)

// The SQLSTATE codes that are told apart (PostgreSQL, appendix A).
const (
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
	missingDatabase      = "3D000"
	missingSchema        = "3F000"
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	noPrivilege          = "42501"
	readOnly             = "25006"
	serialization        = "40001"
	deadlock             = "40P01"
	diskFull             = "53100"
	outOfMemory          = "53200"
	tooManyConnections   = "53300"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
	protocolViolation    = "08P01"
)

// passing tells errors after which the same may be tried again: somebody else
// was in the way, or the connection was lost.
func passing(err error) bool {
	switch code(err) {
	case serialization, deadlock, adminShutdown, crashShutdown, cannotConnectNow:
		return !dialling(err)
	case "":
		return (disconnected(err) || pgconn.SafeToRetry(err)) && !dialling(err)
	}
	return false
}

// dialling tells an error of a connection that was not made, after link has
// waited for it as long as it is worth.
func dialling(err error) bool {
	var e *pgconn.ConnectError
	return errors.As(err, &e)
}

// disconnected tells errors of a connection that came to an end.
func disconnected(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// doubtful tells errors after which it is not known whether the statement was
// carried out. What the server calls an ERROR undid it; when it ends the
// connection as well, that may have been after the commit.
func doubtful(err error) bool {
	var server *pgconn.PgError
	switch {
	case dialling(err), pgconn.SafeToRetry(err), errors.Is(err, errMissingTables):
		return false
	case errors.As(err, &server):
		return server.SeverityUnlocalized != "ERROR" && server.Severity != "ERROR"
	}
	return true
}

// explainer makes errors of this kind of backend.
type explainer struct {
	location string
	schema   string
	tables   tables
	user     string
	database string
	secrets  []string
}

func newExplainer(config *pgconn.Config, o Options) explainer {
	e := explainer{location: location(config, o), schema: o.Schema, tables: newTables(o), user: config.User, database: config.Database}
	if len(config.Password) > 3 { // a shorter one is found in every text
		e.secrets = []string{config.Password}
	}
	return e
}

// explain says what an error means and what to do.
func (e explainer) explain(ctx context.Context, doing string, err error) error {
	var known *backend.UnreachableError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil && (doing != "writing" || !doubtful(err)):
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			return fmt.Errorf("%s the state at %s: %w (%v)", doing, e.location, cause, e.conceal(err))
		}
		return fmt.Errorf("%s the state at %s: %w", doing, e.location, context.Cause(ctx))
	}
	var strange *pgproto3.ExceededMaxBodyLenErr
	if errors.As(err, &strange) {
		return &backend.UntrustedError{Location: e.location, Fix: "check host and port of conn_str",
			Problem: "what answers there does not speak the protocol of PostgreSQL: " + e.conceal(err).Error()}
	}
	return &backend.UnreachableError{Location: e.location, Doing: doing, Doubt: doing == "writing" && doubtful(err), Err: e.conceal(err), Fix: e.fix(err)}
}

// fix says what to do about an error.
func (e explainer) fix(err error) string {
	switch code(err) {
	case invalidAuthorization, invalidPassword:
		return fmt.Sprintf("check the user (%s) and the password: conn_str, ESD_PG_CONN_STR, PGUSER, PGPASSWORD, PGPASSFILE", e.user)
	case missingDatabase:
		return fmt.Sprintf("create it (CREATE DATABASE %s), or correct conn_str", quoteName(e.database))
	case noPrivilege:
		return fmt.Sprintf("let an owner of the database run: CREATE SCHEMA IF NOT EXISTS %[1]s; GRANT USAGE, CREATE ON SCHEMA %[1]s TO %[2]s; "+
			"or, where the tables exist: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[2]s", quoteName(e.schema), quoteName(e.user))
	case readOnly:
		return "this server takes no writes: name the primary in conn_str, or all servers and target_session_attrs=read-write"
	case tooManyConnections:
		return fmt.Sprintf("all connections of the server were in use for %s: try again, raise max_connections, or use a pooler", crowded)
	case diskFull:
		return "the disk of the server is full: nothing was written; free some space there and try again"
	case outOfMemory:
		return "the server is out of memory or of room for locks: try again later"
	case lockNotAvailable, queryCanceled:
		return "the server ended the statement: raise statement_timeout and lock_timeout of the role, or look what keeps the server busy"
	case missingSchema, undefinedTable:
		return "let an owner of the database run: CREATE SCHEMA IF NOT EXISTS " + quoteName(e.schema) + "; " + e.tables.createStates() + " " + e.tables.createDocuments()
	case undefinedColumn:
		return fmt.Sprintf("the table is not one of esd, or of a newer one: name another schema_name than %q", e.schema)
	case protocolViolation:
		return "if there is a pooler, let it ignore the startup parameters that it does not know"
	}
	return e.fixConnection(err)
}

// fixConnection says what to do about an error that is not one of the server.
func (e explainer) fixConnection(err error) string {
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.Is(err, errMissingTables):
		return "let an owner of the database run: " + e.tables.createStates() + " " + e.tables.createDocuments()
	case errors.As(err, &name):
		return "check the name of the host in conn_str"
	case errors.As(err, &authority), errors.As(err, &host):
		return "name the certificate of its authority (sslrootcert) and the host as the certificate does"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "check that the server runs, and host and port of conn_str (or PGHOST and PGPORT)"
	case pgconn.Timeout(err):
		return "check that the server can be reached from here and is not overloaded"
	case code(err) == "" && disconnected(err):
		return "the server ended the connection: look into its log"
	}
	return ""
}

// conceal keeps secrets out of the text of an error.
func (e explainer) conceal(err error) error {
	text := err.Error()
	for _, secret := range e.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	text = strings.Join(strings.Fields(text), " ") // one line
	if text == err.Error() {
		return err
	}
	return &concealed{text: text, err: err}
}

// concealed is an error with another text.
type concealed struct {
	text string
	err  error
}

func (c *concealed) Error() string { return c.text }
func (c *concealed) Unwrap() error { return c.err }
