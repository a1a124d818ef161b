package importer

import (
	"slices"
	"strconv"

	"esd/internal/spack/manifest/yamlnode"
)

// value is something to be written in the configuration: a scalar, a list or
// an object, with the comments that stood at it.
type value struct {
	kind    yamlnode.Kind
	text    string
	members []member // of a list or of an object
	below   []string // comments behind the last one
}

// member is an element of a list (without a key) or of an object.
type member struct {
	key    string
	above  []string // comments on lines of their own
	beside string   // comment behind it
	value  value
}

func text(s string) value { return value{kind: yamlnode.String, text: s} }

func boolean(b bool) value { return value{kind: yamlnode.Bool, text: strconv.FormatBool(b)} }

func number(s string) value { return value{kind: yamlnode.Integer, text: s} }

// expression is written as it is.
func expression(s string) value { return value{kind: yamlnode.Null, text: s} }

func texts(list []string) value {
	v := value{kind: yamlnode.List}
	for _, s := range list {
		v.members = append(v.members, member{value: text(s)})
	}
	return v
}

func expressions(list []string) value {
	v := texts(list)
	for i := range v.members {
		v.members[i].value.kind = yamlnode.Null
	}
	return v
}

func object(members ...member) value { return value{kind: yamlnode.Map, members: members} }

func (v value) isEmpty() bool { return len(v.members) == 0 && v.text == "" }

func (v value) isCollection() bool { return v.kind == yamlnode.List || v.kind == yamlnode.Map }

// get finds a member of an object.
func (v *value) get(key string) *value {
	i := slices.IndexFunc(v.members, func(m member) bool { return m.key == key })
	if i < 0 || v.kind != yamlnode.Map {
		return nil
	}
	return &v.members[i].value
}

// set puts a member at the end of an object, or in the place of what was there.
func (v *value) set(key string, to value) {
	v.kind = yamlnode.Map
	if have := v.get(key); have != nil {
		*have = to
		return
	}
	v.members = append(v.members, member{key: key, value: to})
}

// sub is a member that is an object; it is made if it is missing.
func (v *value) sub(key string) *value {
	if have := v.get(key); have != nil && have.kind == yamlnode.Map {
		return have
	}
	v.set(key, object())
	return v.get(key)
}

// remove takes a member out.
func (v *value) remove(key string) {
	v.members = slices.DeleteFunc(v.members, func(m member) bool { return m.key == key })
}

// converter turns YAML into values, each comment going along once.
type converter struct {
	file *yamlnode.File
	used map[int]bool
}

func newConverter(file *yamlnode.File) *converter {
	return &converter{file: file, used: map[int]bool{}}
}

// value converts n. In a list of versions all are text.
func (c *converter) value(n *yamlnode.Node, versions bool) value {
	switch {
	case n == nil || n.Kind == yamlnode.Null:
		return expression("null")
	case n.Kind == yamlnode.List:
		v := value{kind: yamlnode.List}
		for _, item := range n.Items {
			m := member{}
			c.comments(&m, item.Line, item)
			m.value = c.value(item, versions)
			v.members = append(v.members, m)
		}
		if last := len(n.Items) - 1; last >= 0 && !n.Flow && (n.Items[last].IsScalar() || n.Items[last].Kind == yamlnode.Null) {
			v.below = c.file.Below(n.Items[last].Line)
		}
		return v
	case n.Kind == yamlnode.Map:
		v := value{kind: yamlnode.Map}
		for _, e := range n.Entries {
			v.members = append(v.members, c.entry(e))
		}
		return v
	}
	switch plain := n.Plain().(type) {
	case bool:
		return boolean(plain)
	case int64:
		if !versions && plain == int64(float64(plain)) {
			return number(n.Text)
		}
	}
	return text(n.Text)
}

func (c *converter) entry(e yamlnode.Entry) member {
	m := member{key: e.Name()}
	c.comments(&m, e.Line, e.Value)
	m.value = c.value(e.Value, e.Key == "version")
	return m
}

// comments takes those at a line, which n begins or follows.
func (c *converter) comments(m *member, line int, n *yamlnode.Node) {
	if c.used[line] {
		return
	}
	c.used[line] = true
	m.above = c.file.Above(line)
	beside := c.file.Beside(line)
	if beside == "" {
		return
	}
	if n.Kind == yamlnode.List || n.Kind == yamlnode.Map {
		m.above = append(m.above, beside)
	} else {
		m.beside = beside
	}
}
