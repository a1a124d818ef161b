package yamlnode

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter makes our tree of the parser's, and puts in what aliases stand for.
type converter struct {
	file    string
	anchors map[string]ast.Node
	// open are the anchors whose value is just being made: an alias to one of
	// them would go on for ever.
	open  map[string]bool
	count int
}

func (c *converter) node(n ast.Node, depth int) (*Node, error) {
	if n == nil {
		return &Node{}, nil
	}
	at := position(n.GetToken())
	if c.count++; c.count > MaxNodes {
		return nil, at.Errorf(c.file, "there are more than %d values, counting what aliases stand for", MaxNodes)
	}
	if depth > MaxDepth {
		return nil, at.Errorf(c.file, "lists and maps are nested more than %d deep", MaxDepth)
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		return c.anchor(n, depth)
	case *ast.AliasNode:
		return c.alias(n, depth)
	case *ast.TagNode:
		return c.tag(n, depth)
	case *ast.MappingNode:
		return c.mapping(n.Values, n.IsFlowStyle, at, depth)
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, n.IsFlowStyle, at, depth)
	case *ast.SequenceNode:
		return c.sequence(n, at, depth)
	case *ast.LiteralNode:
		return &Node{Position: at, Kind: String, Text: n.Value.Value}, nil
	case *ast.CommentGroupNode:
		return &Node{Position: at}, nil
	}
	return c.scalar(n, at)
}

func (c *converter) scalar(n ast.Node, at Position) (*Node, error) {
	t := n.GetToken()
	if s, ok := n.(*ast.StringNode); ok && isQuoted(t) {
		return &Node{Position: at, Kind: String, Text: s.Value}, nil
	}
	if t == nil {
		return &Node{}, nil
	}
	switch n.(type) {
	case *ast.NullNode:
		return &Node{Position: at}, nil
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &Node{Position: at, Kind: scalarKind(t.Value), Text: t.Value}, nil
	}
	return nil, at.Errorf(c.file, "this is not understood: %s", n.Type())
}

func isQuoted(t *token.Token) bool {
	return t != nil && (t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType)
}

func (c *converter) sequence(n *ast.SequenceNode, at Position, depth int) (*Node, error) {
	list := &Node{Position: at, Kind: List, Flow: n.IsFlowStyle, Items: make([]*Node, 0, len(n.Values))}
	for _, value := range n.Values {
		item, err := c.node(value, depth+1)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

func (c *converter) mapping(values []*ast.MappingValueNode, flow bool, at Position, depth int) (*Node, error) {
	m := &Node{Position: at, Kind: Map, Flow: flow}
	own := map[string]bool{}
	var merged []*Node
	for _, v := range values {
		value, err := c.node(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if v.Key.IsMergeKey() {
			merged = append(merged, value)
			continue
		}
		e, err := c.entry(v, value)
		if err != nil {
			return nil, err
		}
		if own[e.Key] {
			return nil, e.Errorf(c.file, "the key %q stands in this map twice", e.Key)
		}
		own[e.Key] = true
		m.Entries = append(m.Entries, e)
		if len(m.Entries) == 1 && !flow {
			m.Position = e.Position
		}
	}
	for _, value := range merged {
		if err := c.merge(m, own, value); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (c *converter) entry(v *ast.MappingValueNode, value *Node) (Entry, error) {
	at := position(v.Key.GetToken())
	key, err := c.key(v.Key)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Position: at, Key: key, Value: value}
	// lib/spack/spack/util/spack_yaml.py, construct_yaml_str: a key that ends
	// with a colon overrides.
	if n := len(key); n > 1 && key[n-1] == ':' {
		e.Key, e.Override = key[:n-1], true
	}
	if value.Line == 0 {
		value.Position = at
	}
	return e, nil
}

// key is the text of a key; keys that are lists or maps are no configuration.
func (c *converter) key(k ast.Node) (string, error) {
	switch k := k.(type) {
	case *ast.AnchorNode:
		c.anchors[anchorName(k.Name)] = k.Value
		return c.key(k.Value)
	case *ast.TagNode:
		return c.key(k.Value)
	case *ast.MappingKeyNode:
		return c.key(k.Value)
	case *ast.StringNode:
		return k.Value, nil
	case *ast.AliasNode:
		value, err := c.node(k, 0)
		if err != nil {
			return "", err
		}
		if value.IsScalar() {
			return value.Text, nil
		}
	case ast.ScalarNode:
		if t := k.GetToken(); t != nil {
			return t.Value, nil
		}
	}
	if k == nil {
		return "", &Error{File: c.file, Message: "a key is missing"}
	}
	return "", position(k.GetToken()).Errorf(c.file, "a key must be text")
}

// merge puts the entries of a map behind << into m, where m has none of its own.
func (c *converter) merge(m *Node, own map[string]bool, value *Node) error {
	switch value.Kind {
	case Map:
		for _, e := range value.Entries {
			if !own[e.Key] {
				own[e.Key] = true
				m.Entries = append(m.Entries, e)
			}
		}
	case List:
		for _, item := range value.Items {
			if item.Kind != Map {
				return item.Errorf(c.file, "only maps can be merged with <<, and this is %s", item.Kind)
			}
			if err := c.merge(m, own, item); err != nil {
				return err
			}
		}
	default:
		return value.Errorf(c.file, "only maps can be merged with <<, and this is %s", value.Kind)
	}
	return nil
}

func (c *converter) anchor(n *ast.AnchorNode, depth int) (*Node, error) {
	name := anchorName(n.Name)
	c.anchors[name] = n.Value
	return c.opened(name, n.Value, depth)
}

func (c *converter) alias(n *ast.AliasNode, depth int) (*Node, error) {
	name := anchorName(n.Value)
	value, ok := c.anchors[name]
	if !ok {
		return nil, position(n.Start).Errorf(c.file, "*%s is used, and no &%s stands before it", name, name)
	}
	if c.open[name] {
		return nil, position(n.Start).Errorf(c.file, "*%s stands within &%s itself", name, name)
	}
	return c.opened(name, value, depth)
}

func (c *converter) opened(name string, value ast.Node, depth int) (*Node, error) {
	if c.open == nil {
		c.open = map[string]bool{}
	}
	before := c.open[name]
	c.open[name] = true
	defer func() { c.open[name] = before }()
	return c.node(value, depth+1)
}

func anchorName(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// tag reads a value with a tag. Spack's files have none but !!str.
func (c *converter) tag(n *ast.TagNode, depth int) (*Node, error) {
	value, err := c.node(n.Value, depth+1)
	if err != nil {
		return nil, err
	}
	switch n.Start.Value {
	case "!!str":
		if value.Kind == List || value.Kind == Map {
			return nil, value.Errorf(c.file, "a !!str must be text, and this is %s", value.Kind)
		}
		value.Kind = String
		return value, nil
	case "!!map", "!!seq", "!!bool", "!!int", "!!float", "!!null", "!":
		return value, nil
	}
	return nil, position(n.Start).Errorf(c.file, "the tag %s is not known here", n.Start.Value)
}
