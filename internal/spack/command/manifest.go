package command

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// withoutView is a spack.yaml with `view: false`: Spack would empty a view that
// the manifest names, because in an environment that is only concretized
// nothing is installed.
func withoutView(manifest []byte) ([]byte, error) {
	file, err := parser.ParseBytes(manifest, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("the manifest has %d YAML documents; a spack.yaml has one", len(file.Docs))
	}
	top := findKey(file.Docs[0].Body, "spack")
	if top == nil {
		return nil, fmt.Errorf("the manifest is no spack.yaml: it has no mapping \"spack\" at the top")
	}
	view := findKey(top.Value, "view")
	if view == nil {
		return manifest, nil
	}
	no := token.New("false", "false", view.Value.GetToken().Position)
	view.Value = ast.Bool(no)
	return []byte(file.String()), nil
}

// findKey finds a key of a mapping.
func findKey(node ast.Node, key string) *ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if v.Key.GetToken().Value == key {
				return v
			}
		}
	case *ast.MappingValueNode: // a mapping with one key
		if n.Key.GetToken().Value == key {
			return n
		}
	}
	return nil
}
