package s3_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/s3"
)

func block(extra map[string]cty.Value) cty.Value {
	values := map[string]cty.Value{"bucket": cty.StringVal("b"), "key": cty.StringVal("lab/production.json")}
	for name, v := range extra {
		values[name] = v
	}
	return cty.ObjectVal(values)
}

func nothing(string) (string, bool) { return "", false }

func TestTheBlockIsChecked(t *testing.T) {
	t.Parallel()
	kind := s3.Kind()
	for name, tc := range map[string]struct {
		values map[string]cty.Value
		says   string
	}{
		"nothing else is needed":        {nil, ""},
		"all that there is":             {map[string]cty.Value{"endpoint": cty.StringVal("https://s3.example.org"), "region": cty.StringVal("x"), "use_path_style": cty.False, "encrypt": cty.True, "kms_key_id": cty.StringVal("k"), "keep": cty.NumberIntVal(3), "lease": cty.StringVal("5m"), "profile": cty.StringVal("p")}, ""},
		"a bucket with a slash":         {map[string]cty.Value{"bucket": cty.StringVal("b/c")}, "no name of a bucket"},
		"no bucket":                     {map[string]cty.Value{"bucket": cty.NullVal(cty.String)}, "needs bucket"},
		"a key that begins with one":    {map[string]cty.Value{"key": cty.StringVal("/x")}, "without a slash"},
		"a key that leads up":           {map[string]cty.Value{"key": cty.StringVal("a/../x")}, `".." in it`},
		"an endpoint without scheme":    {map[string]cty.Value{"endpoint": cty.StringVal("s3.example.org")}, "https://HOST"},
		"an endpoint with a password":   {map[string]cty.Value{"endpoint": cty.StringVal("https://me:hush@s3.example.org")}, "credentials come from the environment"},
		"no version":                    {map[string]cty.Value{"keep": cty.NumberIntVal(0)}, "from 1 to 1000"},
		"half a version":                {map[string]cty.Value{"keep": cty.NumberFloatVal(1.5)}, "from 1 to 1000"},
		"a lease that is too short":     {map[string]cty.Value{"lease": cty.StringVal("1s")}, "lasts"},
		"a name of Terraform's, unused": {map[string]cty.Value{"dynamodb_table": cty.StringVal("x")}, "no attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := kind.Decode(block(tc.values), nothing)
			if err == nil {
				_, err = kind.Open(settings, backend.Env{UserAgent: "esd/0.1.0"})
			}
			switch {
			case tc.says == "" && err != nil, tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("%v", err)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func TestThePlaceOfAStateIsNamed(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]s3.Options{
		"s3://b/lab/x.json":                   {Bucket: "b", Key: "lab/x.json"},
		"https://s3.example.org/b/lab/x.json": {Bucket: "b", Key: "lab/x.json", Endpoint: "https://s3.example.org/"},
	} {
		var store register.Store = s3.NewStore(o)
		if got := store.Location(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
