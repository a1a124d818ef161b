package environment

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// errNamesVariable says how Spack gets the secrets of mirrors.
var errNamesVariable = errors.New("it would end up in plans and in the lock; write access_token_variable, or an access_pair with secret_variable, " +
	"which name variables of the environment")

// checkNoSecrets refuses configuration of Spack that holds the secrets of its
// mirrors. Steps carry the configuration with them.
func checkNoSecrets(v cty.Value) error {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	if v.Type() == cty.String {
		return checkNoSecretURL(v)
	}
	if !v.CanIterateElements() {
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		key, e := it.Element()
		if key.Type() == cty.String && holdsSecret(key.AsString(), e) {
			return fmt.Errorf("%s holds a secret: %w", key.AsString(), errNamesVariable)
		}
		if err := checkNoSecrets(e); err != nil {
			return err
		}
	}
	return nil
}

// checkNoSecretURL refuses URLs by which one logs in; other texts have an @ of
// their own in specs.
func checkNoSecretURL(v cty.Value) error {
	scheme, _, isURL := strings.Cut(v.AsString(), "://")
	switch {
	case !isURL || strings.ContainsAny(scheme, " @"):
		return nil
	case strings.Contains(scheme, "ssh"): // the name by which one logs in is no secret there
		return schema.CheckRepository(v)
	}
	return schema.CheckNoSecret(v.AsString(), "log in with the tools of the place instead")
}

// holdsSecret knows the names under which Spack keeps the secrets of mirrors: a
// token, and the second of a pair.
func holdsSecret(name string, v cty.Value) bool {
	switch {
	case v.IsNull():
		return false
	case name == "access_token", name == "secret":
		return v.Type() == cty.String
	case name == "access_pair":
		return v.Type().IsTupleType() || v.Type().IsListType()
	}
	return false
}
