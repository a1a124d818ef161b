package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// combine makes one spec of several constraints, as Spack does with the
// elements of a matrix. Written one behind the other they would mean something
// else: in "hdf5 ^zlib" + "+mpi" the variant is hdf5's, not zlib's.
func combine(constraints []string) (abstract, error) {
	var sum abstract
	for i, text := range constraints {
		a, err := parseAbstract(text)
		if err != nil {
			return sum, err
		}
		if i == 0 {
			sum = a
			continue
		}
		if err := sum.constrain(a); err != nil {
			return sum, fmt.Errorf("%s cannot be combined: %w", strings.Join(constraints, " and "), err)
		}
	}
	return sum, nil
}

func (a *abstract) constrain(with abstract) error {
	if err := a.node.constrain(with.node); err != nil {
		return err
	}
	for _, d := range with.direct {
		if err := add(&a.direct, d); err != nil {
			return err
		}
	}
	for _, d := range with.others {
		if err := add(&a.others, d); err != nil {
			return err
		}
	}
	return nil
}

// add constrains the dependency that is there, or appends a new one.
func add(list *[]dependency, d dependency) error {
	i := slices.IndexFunc(*list, func(have dependency) bool {
		return have.name == d.name && have.sigil == d.sigil && have.properties == d.properties && have.virtuals == d.virtuals
	})
	if i < 0 {
		*list = append(*list, d)
		return nil
	}
	return (*list)[i].constrain(d.abstract)
}

func (n *node) constrain(with node) error {
	if n.name != "" && with.name != "" && n.name != with.name {
		return fmt.Errorf("%s and %s are two packages", n.name, with.name)
	}
	if n.name == "" {
		n.name = with.name
	}
	if n.hash == "" {
		n.hash = with.hash
	} else if with.hash != "" && with.hash != n.hash {
		return fmt.Errorf("/%s and /%s are two hashes", n.hash, with.hash)
	}
	version, err := narrower(n.version, with.version)
	if err != nil {
		return err
	}
	n.version = version
	for _, attr := range with.attributes {
		if err := n.set(attr); err != nil {
			return err
		}
	}
	return nil
}

// narrower is the one of two constraints on a version that lies in the other.
func narrower(a, b string) (string, error) {
	switch {
	case a == "" || a == b:
		return b, nil
	case b == "" || parseVersions(a).within(parseVersions(b)):
		return a, nil
	case parseVersions(b).within(parseVersions(a)):
		return b, nil
	}
	return "", fmt.Errorf("@%s and @%s; write the versions that are in both", a, b)
}

func (n *node) set(attr attribute) error {
	i := slices.IndexFunc(n.attributes, func(have attribute) bool { return have.key == attr.key })
	if i < 0 || isFlag(attr.key) {
		if i < 0 || !slices.Contains(n.attributes, attr) {
			n.attributes = append(n.attributes, attr)
		}
		return nil
	}
	have := &n.attributes[i]
	switch {
	case *have == attr:
	case have.operator == attr.operator && strings.HasSuffix(attr.operator, "=") && !strings.HasPrefix(attr.operator, ":") && !isArchitecture(attr.key):
		// Values of a variant that can have several are collected.
		have.value = union(have.value, attr.value)
	default:
		return fmt.Errorf("%s and %s", node{attributes: []attribute{*have}}, node{attributes: []attribute{attr}})
	}
	return nil
}

func union(a, b string) string {
	values := strings.Split(a, ",")
	for _, v := range strings.Split(b, ",") {
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return strings.Join(values, ",")
}

func isFlag(key string) bool {
	return slices.Contains([]string{"cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"}, key)
}

func isArchitecture(key string) bool {
	return slices.Contains([]string{"arch", "architecture", "platform", "os", "operating_system", "target"}, key)
}
