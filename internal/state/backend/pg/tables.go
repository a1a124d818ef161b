package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// tables are the names of the tables, quoted, and how they are made.
type tables struct {
	schema            string // as it is
	states, documents string
	noSchema, noTable bool
}

func newTables(o Options) tables {
	return tables{
		schema: o.Schema, states: quoteName(o.Schema) + ".esd_states", documents: quoteName(o.Schema) + ".esd_documents",
		noSchema: o.SkipSchemaCreation, noTable: o.SkipTableCreation,
	}
}

// errMissingTables: the tables have to be made by somebody else.
var errMissingTables = errors.New("tables are missing")

// create makes schema and tables where they are missing. It is one statement,
// so that a client which stops in its midst holds up nobody; the advisory lock
// makes those who come at the same moment wait for each other, as IF NOT EXISTS
// alone does not.
func (s *Store) create(ctx context.Context) error {
	if s.tables.noTable {
		return fmt.Errorf("%s does not exist, and is not to be created: %w", s.tables.states, errMissingTables)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range attempts {
		err := s.link.use(ctx, func(conn *pgconn.PgConn) error {
			_, err := query(ctx, conn, s.tables.creation())
			return err
		})
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
	}
	return nil // the statement that needs the tables will tell
}

// creation is the statement that makes what is missing. What exists is not
// touched, because even that needs rights that the role may not have.
func (t tables) creation() string {
	schema := "CREATE SCHEMA " + quoteName(t.schema)
	if t.noSchema {
		schema = "RAISE invalid_schema_name USING MESSAGE =" + quoteText(fmt.Sprintf("schema %q does not exist, and is not to be created", t.schema))
	}
	return "DO" + quoteText(fmt.Sprintf(`BEGIN
PERFORM pg_advisory_xact_lock(%d);
IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname =%s) THEN %s; END IF;
IF to_regclass(%s) IS NULL THEN %s END IF;
IF to_regclass(%s) IS NULL THEN %s END IF;
END`, key("tables", t.schema), quoteText(t.schema), schema,
		quoteText(t.states), t.createStates(), quoteText(t.documents), t.createDocuments()))
}

func (t tables) createStates() string {
	return "CREATE TABLE " + t.states + " (name text PRIMARY KEY, version bigint NOT NULL, head bytea NOT NULL, " +
		"sessions bigint[] NOT NULL, updated timestamptz NOT NULL DEFAULT now());"
}

// createDocuments tells the server not to try to compress what is compressed.
func (t tables) createDocuments() string {
	return "CREATE TABLE " + t.documents + " (state text, name text, data bytea NOT NULL, created timestamptz NOT NULL DEFAULT now(), " +
		"PRIMARY KEY (state, name)); ALTER TABLE " + t.documents + " ALTER COLUMN data SET STORAGE EXTERNAL;"
}

// quoteName makes an identifier of any text.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteText makes a literal of any text, whatever standard_conforming_strings
// says.
func quoteText(s string) string {
	return ` E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + `'`
}
