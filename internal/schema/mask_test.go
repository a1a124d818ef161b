package schema_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

func TestSecretsInTextsAreMasked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://user:hush@example.org/c":                    "https://…@example.org/c",
		"cannot open /w/https:/user:hush@example.org/c: no":  "cannot open /w/https:/…@example.org/c: no",
		`"https://user:hu\"sh@example.org/c" is no place`:    `"https://…@example.org/c" is no place`,
		"https://user:hu/sh@example.org":                     "https://…@example.org",
		"user:hush@example.org/lab:1":                        "…@example.org/lab:1",
		"https://hush@example.org/a":                         "https://…@example.org/a",
		"https://example.org/c?token=hush":                   "https://example.org/c?token=…",
		"https://example.org/c?a=b&X-Amz-Signature=hush&d=1": "https://example.org/c?a=b&X-Amz-Signature=…&d=1",
		"https://example.org/c#access_token=hush":            "https://example.org/c#access_token=…",
		"ssh://git:hush@example.org/a":                       "ssh://…@example.org/a",
	} {
		if got := schema.MaskSecrets(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
		if !schema.HoldsSecret(text) {
			t.Errorf("%s is not found to hold a secret", text)
		}
	}
	for _, text := range []string{
		"ssh://git@example.org/a", "git@example.org:a/b.git", "https://example.org/@scope/x.tgz", "hdf5@1.10:1.12 ^mpi@4: %gcc@12", "zlib@1.3",
		"oci://example.org:5000/lab:1@sha256:00", "example.org:5000/lab@sha256:00", "https://example.org/x?file=a&version=1", "-Dkey=value", "",
		"write it as --var token=VALUE", "the lock was lost: builder@host holds it",
	} {
		if got := schema.MaskSecrets(text); got != text {
			t.Errorf("%s becomes %s", text, got)
		}
		if schema.HoldsSecret(text) {
			t.Errorf("%s is found to hold a secret", text)
		}
	}
}

func TestSecretsAreKnownByTheirNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"password": true, "db_passwd": true, "TOKEN": true, "PRIVATE-TOKEN": true, "client_secret": true, "credentials": true, "conn_str": true,
		"client_private_key_pem": true, "client_certificate_pem": true, "secret_access_key": true, "access_key": true, "Authorization": true,
		"passphrase_variable": false, "access_token_variable": false, "version": false, "key": false, "public_key": false, "author": false, "path": false,
	} {
		if got := schema.IsSecretKey(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRefusedValuesWithSecretsAreNotQuoted(t *testing.T) {
	t.Parallel()
	quotes := schema.Attribute{Name: "url", Check: func(v cty.Value) error { return &quoted{v.GoString()} }}
	for name, v := range map[string]cty.Value{
		"a text":             cty.StringVal("ftp://user:hush@example.org"),
		"one with a space":   cty.StringVal("ftp://user:hush hush@example.org"),
		"a list":             cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("ftp://example.org?token=hush")}),
		"a name in a map":    cty.MapVal(map[string]cty.Value{"ftp://user:hush@example.org": cty.True}),
		"a member of a list": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("//u:hush@x")})}),
	} {
		if err := quotes.Accept(v); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := quotes.Accept(cty.StringVal("plain")); err == nil || !strings.Contains(err.Error(), "plain") {
		t.Errorf("what holds no secret is said as %v", err)
	}
}

type quoted struct{ value string }

func (q *quoted) Error() string { return q.value + " is not valid" }
