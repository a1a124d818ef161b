package depfile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"esd/internal/spack"
)

// JSON is the graph as a JSON document, nodes in the order of the graph:
//
//	{"lock": …, "use_buildcache": {"package": …, "dependencies": …},
//	 "roots": [ID…], "order": [ID…],
//	 "nodes": {ID: {"prerequisites": [ID…], "install_flag": …}}}
//
// Lock is the name of the lock that it was made of, for people.
func (g *Graph) JSON(lock string) ([]byte, error) {
	type modes struct {
		Package      Mode `json:"package"`
		Dependencies Mode `json:"dependencies"`
	}
	document := struct {
		Lock  string   `json:"lock"`
		Use   modes    `json:"use_buildcache"`
		Roots []string `json:"roots"`
		Order []string `json:"order"`
		Nodes nodes    `json:"nodes"`
	}{lock, modes(g.Use), ids(g.Roots), make([]string, len(g.Nodes)), g.Nodes}
	for i, n := range g.Nodes {
		document.Order[i] = ID(n.Spec)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(document); err != nil {
		return nil, fmt.Errorf("writing the graph: %w", err)
	}
	return b.Bytes(), nil
}

func ids(specs []*spack.Spec) []string {
	list := make([]string, len(specs))
	for i, s := range specs {
		list[i] = ID(s)
	}
	return list
}

// nodes are an object whose members have an order.
type nodes []Node

// MarshalJSON implements [json.Marshaler].
func (list nodes) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, n := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(struct {
			Prerequisites []string `json:"prerequisites"`
			Flag          string   `json:"install_flag"`
		}{ids(n.Prerequisites), n.Mode.Flag()})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", ID(n.Spec), value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
