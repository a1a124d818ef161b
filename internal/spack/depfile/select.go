package depfile

import (
	"esd/internal/spack"
)

// Select finds all packages that roots reach, roots themselves among them, and
// that match any of the queries: what `spack env depfile SPEC…` takes for
// roots. Their order is Spack's: a package before its dependencies. The syntax is
// that of the Spack which the queries are meant for.
func Select(specs spack.Specs, roots []spack.Hash, syntax spack.Syntax, queries ...string) ([]spack.Hash, error) {
	matchers := make([]spack.Matcher, len(queries))
	for i, q := range queries {
		m, err := spack.Match(q)
		if err != nil {
			return nil, err
		}
		matchers[i] = m.In(syntax)
	}
	var found []spack.Hash
	for _, s := range specs.Preorder(spack.Build|spack.LinkRun|spack.Test, roots...) {
		for _, m := range matchers {
			if m.Matches(s, specs) {
				found = append(found, s.Hash)
				break
			}
		}
	}
	return found, nil
}
