package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// requiredVersion checks the version of esd against the constraint.
func (l *loader) requiredVersion(v cty.Value, attr *hclsyntax.Attribute) {
	at := attr.Expr.Range()
	if v.IsNull() || v.Type() != cty.String {
		l.add(errorAt(at, "Invalid version constraint", "required_version is a string, as in \">= 0.1.0, < 2.0.0\"."))
		return
	}
	fits, err := versionFits(l.config.opts.Version, v.AsString())
	switch {
	case err != nil:
		l.add(errorAt(at, "Invalid version constraint", "%s. Write constraints like \">= 0.1.0\", \"~> 1.2\" or \">= 1.0.0, < 2.0.0\".", err))
	case !fits:
		l.add(errorAt(at, "Unsupported version of esd", "This is esd %s, and the configuration needs %s. Use another version of esd, or change required_version if the configuration works with this one.", l.config.opts.Version, v.AsString()))
	}
}

// number is major, minor and patch.
type number [3]int

// parseNumber reads a version and says how many parts were written. What
// follows a - or + is left aside: a development version counts as the version
// that it will become.
func parseNumber(s string) (number, int, error) {
	var n number
	s, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "v"), "+")
	s, _, _ = strings.Cut(s, "-")
	parts := strings.Split(s, ".")
	if len(parts) > len(n) {
		return n, 0, fmt.Errorf("%q is not a version", s)
	}
	for i, part := range parts {
		value, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return n, 0, fmt.Errorf("%q is not a version", s)
		}
		n[i] = int(value)
	}
	return n, len(parts), nil
}

func (n number) compare(other number) int {
	for i := range n {
		if n[i] != other[i] {
			return n[i] - other[i]
		}
	}
	return 0
}

// versionFits tells whether a version satisfies a constraint: conditions
// joined by commas. An empty or unreadable version satisfies all.
func versionFits(version, constraint string) (bool, error) {
	have, _, err := parseNumber(version)
	unknown := version == "" || err != nil
	fits := true
	for _, condition := range strings.Split(constraint, ",") {
		condition = strings.TrimSpace(condition)
		operator := condition[:len(condition)-len(strings.TrimLeft(condition, "=!<>~"))]
		want, parts, err := parseNumber(condition[len(operator):])
		if err != nil {
			return false, err
		}
		ok, err := compareBy(operator, have, want, parts)
		if err != nil {
			return false, err
		}
		fits = fits && (ok || unknown)
	}
	return fits, nil
}

func compareBy(operator string, have, want number, parts int) (bool, error) {
	c := have.compare(want)
	switch operator {
	case "", "=":
		return c == 0, nil
	case "!=":
		return c != 0, nil
	case ">":
		return c > 0, nil
	case ">=":
		return c >= 0, nil
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case "~>":
		// All parts written but the last are fixed, and at least the first.
		fixed := max(parts-1, 1)
		for i := range fixed {
			if have[i] != want[i] {
				return false, nil
			}
		}
		return c >= 0, nil
	}
	return false, fmt.Errorf("%q is not a comparison", operator)
}
