package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// satisfies reports whether whatever meets a also meets what. Where that
// cannot be told without Spack's package repositories, it is an error.
func (a abstract) satisfies(what abstract) (bool, error) {
	ok, err := a.node.satisfies(what.node)
	if !ok || err != nil {
		return ok, err
	}
	for _, d := range what.direct {
		if ok, err := anySatisfies(a.direct, d); !ok || err != nil {
			return ok, err
		}
	}
	all := a.below()
	for _, d := range what.others {
		if ok, err := anySatisfies(all, d); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

// below lists all dependencies at any depth.
func (a abstract) below() []dependency {
	list := slices.Concat(a.direct, a.others)
	for i := 0; i < len(list); i++ {
		list = append(list, list[i].direct...)
	}
	return list
}

func anySatisfies(have []dependency, want dependency) (bool, error) {
	for _, d := range have {
		if want.properties != "" && want.properties != d.properties {
			return false, fmt.Errorf("whether something satisfies %s cannot be told without Spack", want)
		}
		if want.virtuals != "" && !contains(d.virtuals, want.virtuals) {
			continue
		}
		if ok, err := d.satisfies(want.abstract); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (n node) satisfies(want node) (bool, error) {
	if want.hash != "" && want.hash != n.hash {
		return false, fmt.Errorf("which package /%s is cannot be told without Spack", want.hash)
	}
	if want.name != "" && want.name != n.name && unqualified(want.name) != n.name && want.name != unqualified(n.name) {
		return false, nil
	}
	if want.version != "" && (n.version == "" || !parseVersions(n.version).within(parseVersions(want.version))) {
		return false, nil
	}
	for _, w := range want.attributes {
		if ok, err := n.hasAttribute(w); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

func (n node) hasAttribute(want attribute) (bool, error) {
	for _, have := range n.attributes {
		if have.key != want.key {
			continue
		}
		if isArchitecture(want.key) && want.value != have.value && strings.ContainsAny(want.value+have.value, ":,") {
			return false, fmt.Errorf("whether %s=%s lies in %s cannot be told without Spack", have.key, have.value, want.value)
		}
		if !strings.Contains(want.operator, "=") {
			if have.operator[0] == want.operator[0] {
				return true, nil
			}
			continue
		}
		if want.value == "*" || contains(have.value, want.value) {
			return true, nil
		}
	}
	return false, nil
}

// contains reports whether a list with commas has all of another one.
func contains(list, want string) bool {
	have := strings.Split(list, ",")
	return !slices.ContainsFunc(strings.Split(want, ","), func(v string) bool { return !slices.Contains(have, v) })
}

func unqualified(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
