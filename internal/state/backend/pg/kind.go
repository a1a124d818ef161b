package pg

import (
	"errors"
	"strings"
	"unicode"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/register"
)

// DefaultSchema is the schema of the tables where none is named.
const DefaultSchema = "esd"

// Kind describes state "pg".
func Kind() backend.Kind {
	return backend.Kind{
		Name:    "pg",
		Summary: "In a PostgreSQL database.",
		Doc: "One database keeps any number of states, in two tables that are made when the first of them is written. " +
			"The role needs the right to create a schema, or one that it may use and create tables in, or the tables themselves. " +
			"To read a state, as `plan` does, the right to read the tables is enough.\n\n" +
			"A lock is a row that says whose it is, with a lease. While a run holds it, it keeps one connection, which bears an advisory lock; " +
			"so the server knows when that run has died, and the next run takes its lock over within seconds. " +
			"Behind a pooler such as PgBouncer that cannot be known, and the lock is taken over when its lease has run out.",
		Example: `state "pg" {
  conn_str = "postgres://ci@db.example.org/esd?sslmode=verify-full" # the password: PGPASSWORD or PGPASSFILE
  name     = "production"
}`,
		Attributes: attributes(),
		Open:       open,
	}
}

func attributes() []backend.Attribute {
	return []backend.Attribute{
		{
			Attribute: schema.Attribute{
				Name: "conn_str", Type: cty.String,
				Doc: "Connection string as `libpq` has it: a URL, or `host=… user=…`. What it leaves out is taken from `PGHOST`, `PGPORT`, `PGDATABASE`, " +
					"`PGUSER`, `PGPASSWORD`, `PGPASSFILE`, `PGSERVICE`, `PGSSLMODE` and the like. Do not write a password here.",
			},
			Variables: []string{"ESD_PG_CONN_STR", "PG_CONN_STR"}, Secret: true, Public: public,
		},
		{
			Attribute: schema.Attribute{
				Name: "name", Type: cty.String, Required: true, Check: checkName,
				Doc: "Name of the state: two configurations must not have the same. May contain `/`.",
			},
			Variables: []string{"ESD_PG_NAME"},
		},
		{
			Attribute: schema.Attribute{
				Name: "schema_name", Type: cty.String, Check: checkSchema,
				Doc: "Schema of the tables `esd_states` and `esd_documents`. Default: `" + DefaultSchema + "`.",
			},
			Variables: []string{"ESD_PG_SCHEMA_NAME", "PG_SCHEMA_NAME"},
		},
		{
			Attribute: schema.Attribute{Name: "skip_schema_creation", Type: cty.Bool, Doc: "Do not create the schema where it is missing."},
			Variables: []string{"ESD_PG_SKIP_SCHEMA_CREATION", "PG_SKIP_SCHEMA_CREATION"},
		},
		{
			Attribute: schema.Attribute{Name: "skip_table_creation", Type: cty.Bool, Doc: "Do not create the tables where they are missing."},
			Variables: []string{"ESD_PG_SKIP_TABLE_CREATION", "PG_SKIP_TABLE_CREATION"},
		},
		register.KeepAttribute(),
		lease.Attribute(lease.DefaultDuration),
	}
}

func open(s backend.Settings, env backend.Env) (backend.Backend, error) {
	o := Options{
		ConnString: s.String("conn_str"), Schema: s.String("schema_name"), Name: s.String("name"),
		SkipSchemaCreation: s.Bool("skip_schema_creation", false), SkipTableCreation: s.Bool("skip_table_creation", false),
		UserAgent: env.UserAgent,
	}
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	store, err := NewStore(o)
	if err != nil {
		return nil, err
	}
	return register.New(store, register.Options{Terms: lease.TermsOf(s, lease.DefaultDuration), Keep: register.KeepOf(s)}), nil
}

// longestName keeps a name well below what an index takes (2704 bytes), and
// longestSchema is the longest identifier of PostgreSQL.
const (
	longestName   = 500
	longestSchema = 63
)

func checkName(v cty.Value) error {
	name := v.AsString()
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New(`a name has no empty parts, "." or ".." between its slashes`)
		}
	}
	if len(name) > longestName || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("a name has 500 bytes at most, and no control characters")
	}
	return nil
}

func checkSchema(v cty.Value) error {
	if name := v.AsString(); len(name) > longestSchema || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("a schema name has 63 bytes at most, and no control characters")
	}
	return nil
}
