package pg

import (
	"strings"
	"testing"
)

func TestAConnectionStringIsRememberedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "",
		"postgres://ci@db.example.org/esd": "postgres://ci@db.example.org/esd",
		"postgres://ci:s3cr3t@db.example.org:5433/esd?sslmode=verify-full":   "postgres://ci@db.example.org:5433/esd?sslmode=verify-full",
		"postgresql://db.example.org/esd?user=ci&password=s3cr3t":            "postgresql://db.example.org/esd?user=ci",
		"postgres://db/esd?sslpassword=s3cr3t&sslkey=k.pem&options=-cx%3Ds3": "postgres://db/esd?sslkey=k.pem",
		"postgres://%2Frun%2Fpostgresql/esd":                                 "",
		"postgres:///esd?host=/run/postgresql":                               "postgres:///esd?host=%2Frun%2Fpostgresql",
		"postgres://a:1,b:2/esd":                                             "postgres://a:1,b:2/esd",
		"postgres://ci:s3cr3t/@db/esd":                                       "", // its password is not escaped
		"postgres://ci:s3#cr3t@db/esd":                                       "",
		"host=db user=ci password=s3cr3t dbname=esd":                         "host='db' user='ci' dbname='esd'",
		"host = db password = 's3 cr\\'3t' dbname='my db'":                   "host='db' dbname='my db'",
		"dbname=a\\ b\\'c":                                                   `dbname='a b\'c'`,
		"password=s3 cr3t dbname=esd":                                        "", // its password is not quoted
		"password='s3cr3t dbname=esd":                                        "",
		"service=esd":                                                        "service='esd'",
		"s3cr3t":                                                             "",
		"PASSWORD=s3cr3t host=db":                                            "host='db'",
	} {
		got := public(text)
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if again := public(got); again != got {
			t.Errorf("%s: %s, and again %s", text, got, again)
		}
	}
}

// FuzzPublic is about what becomes of whatever people write.
func FuzzPublic(f *testing.F) {
	for _, seed := range []string{"postgres://u:p@h/d", "host=h password='p'", `a=\`, "postgres://u:p%zz@h/d", "postgres://[::1]:5/d?x=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := public(text)
		if again := public(got); again != got {
			t.Errorf("%q: %q, and again %q", text, got, again)
		}
		if words, ok := keywords(got); ok && !strings.Contains(got, "://") {
			for _, w := range words {
				if strings.Contains(w.name, "password") {
					t.Errorf("%q: %q", text, got)
				}
			}
		}
	})
}
