package schema

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
)

// errWithheld stands for all that could be said of a value that is not valid and
// seems to hold a secret.
var errWithheld = &SecretError{"it holds a user name, a password or a token, and so is not repeated here; have it without, and see what is said then"}

// Accept runs the check of the attribute. Where a value that is refused seems to
// hold a secret, the reason is a *SecretError, since others quote the value.
func (a *Attribute) Accept(v cty.Value) error {
	if a.Check == nil {
		return nil
	}
	err := a.Check(v)
	var secret *SecretError
	if err == nil || errors.As(err, &secret) || !holdsSecretWithin(v) {
		return err
	}
	return errWithheld
}

// CheckPath refuses a path, or another name, that is a URL with a secret in it: it
// would be quoted where nothing is found under it.
func CheckPath(v cty.Value) error {
	if HoldsSecret(v.AsString()) {
		return &SecretError{"it must not contain a password or a token: it would end up in plans, in the state and in logs"}
	}
	return nil
}

// holdsSecretWithin looks at all texts in a value, and at the names in it.
func holdsSecretWithin(v cty.Value) bool {
	if v.IsMarked() || v.IsNull() || !v.IsKnown() {
		return v.IsMarked()
	}
	if v.Type() == cty.String {
		return HoldsSecret(v.AsString())
	}
	if !v.CanIterateElements() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if holdsSecretWithin(key) || holdsSecretWithin(element) {
			return true
		}
	}
	return false
}
