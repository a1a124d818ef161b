// Package kinds lists the kinds of backends that there are.
package kinds

import (
	"esd/internal/state/backend"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/local"
	ocistate "esd/internal/state/backend/oci"
	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/s3"
)

// All returns all kinds, in the order of the manual; the first is the one that
// is used when nothing is said.
func All() []backend.Kind {
	return []backend.Kind{local.Kind(), httpstate.Kind(), s3.Kind(), ocistate.Kind(), pg.Kind()}
}

// Find returns the kind of a name, nil if there is none.
func Find(name string) *backend.Kind {
	for _, k := range All() {
		if k.Name == name {
			return &k
		}
	}
	return nil
}
