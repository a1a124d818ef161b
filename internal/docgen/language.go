package main

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers/registry"
	"esd/internal/schema"
)

// languageHead is what no schema says: files, expressions, the blocks of the
// language itself.
//
//go:embed language.md
var languageHead string

// kindOrder is the order of the manual; kinds that are not in it follow.
var kindOrder = []string{"recipe", "target.image", "cache.artifact", "site", "executor"}

func languagePage(root string) (string, error) {
	functions, err := functionList(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(generatedFrom("the schemas and internal/docgen/language.md"))
	head := strings.NewReplacer("{{functions}}\n", functions, "{{states}}\n", stateKinds())
	b.WriteString(head.Replace(languageHead))
	b.WriteString("\n## Blocks that deploy something\n")
	schemas := registry.New(registry.Options{}).Schemas()
	for _, kind := range ordered(schemas) {
		writeKind(&b, schemas[kind])
	}
	return b.String(), nil
}

func ordered(schemas map[string]*schema.Block) []string {
	var out []string
	for _, kind := range kindOrder {
		if schemas[kind] != nil {
			out = append(out, kind)
		}
	}
	for _, kind := range sortedKeys(schemas) {
		if !contains(out, kind) {
			out = append(out, kind)
		}
	}
	return out
}

func writeKind(b *strings.Builder, s *schema.Block) {
	blockType, kind, labelled := strings.Cut(s.Kind, ".")
	header := blockType + ` "NAME"`
	if labelled {
		header = fmt.Sprintf("%s %q %q", blockType, kind, "NAME")
	}
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n%s\n", header, s.Summary, s.Doc)
	if s.Example != "" {
		fmt.Fprintf(b, "\n```hcl\n%s\n```\n", strings.TrimSpace(s.Example))
	}
	writeAttributes(b, s.Attributes)
	for _, n := range s.Blocks {
		writeNested(b, n)
	}
	writeMeta(b, s)
	writeExports(b, s)
}

func writeAttributes(b *strings.Builder, attributes []schema.Attribute) {
	if len(attributes) == 0 {
		return
	}
	b.WriteString("\n| attribute | type | default | meaning |\n|---|---|---|---|\n")
	for _, a := range attributes {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, typeOf(a), defaultOf(a), cell(a.Doc))
	}
}

func writeNested(b *strings.Builder, n schema.Nested) {
	header, times := n.Name, "at most once"
	switch n.Nesting {
	case schema.List:
		times = "any number of times"
	case schema.Map:
		header, times = n.Name+` "NAME"`, "any number of times, the name is "+n.Label
	}
	if n.Required {
		times += ", needed"
	}
	fmt.Fprintf(b, "\n#### The block `%s`\n\n%s It stands %s.\n", header, n.Block.Summary, times)
	writeAttributes(b, n.Block.Attributes)
	for _, inner := range n.Block.Blocks {
		writeNested(b, inner)
	}
}

// writeMeta says which of the arguments of all blocks it takes.
func writeMeta(b *strings.Builder, s *schema.Block) {
	meta := []string{"`depends_on`"}
	if s.Repeats {
		meta = append(meta, "`for_each`", "`matrix`")
	}
	if s.Lifecycle {
		meta = append(meta, "`lifecycle`")
	}
	fmt.Fprintf(b, "\nBesides: %s, see [what all blocks can have](#what-all-blocks-can-have).\n", strings.Join(meta, ", "))
}

func writeExports(b *strings.Builder, s *schema.Block) {
	if len(s.Exports) == 0 {
		return
	}
	b.WriteString("\nOther blocks can read:\n\n| attribute | type | known | meaning |\n|---|---|---|---|\n")
	for _, e := range s.Exports {
		known := "in a plan"
		if e.AfterApply {
			known = "after apply"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", e.Name, code(typeexpr.TypeString(e.Type)), known, cell(e.Doc))
	}
}

func typeOf(a schema.Attribute) string {
	if len(a.References) > 0 {
		return "references to `" + strings.Join(a.References, "`, `") + "`"
	}
	return code(typeexpr.TypeString(a.Type))
}

func defaultOf(a schema.Attribute) string {
	switch {
	case a.Required:
		return "**needed**"
	case a.Default == cty.NilVal || a.Default.IsNull():
		return ""
	case a.Default.Type() == cty.String:
		return code(fmt.Sprintf("%q", a.Default.AsString()))
	case a.Default.Type() == cty.Bool:
		return code(fmt.Sprint(a.Default.True()))
	case a.Default.Type() == cty.Number:
		return code(a.Default.AsBigFloat().Text('f', -1))
	}
	return code(a.Default.GoString())
}

func code(s string) string { return "`" + s + "`" }

// cell fits text into a cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
