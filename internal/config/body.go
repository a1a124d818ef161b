package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// The blocks of the language itself, described as the blocks of kinds are.
var (
	esdSchema = schema.Block{Kind: "esd", Attributes: []schema.Attribute{{Name: "required_version"}},
		Blocks: []schema.Nested{{Name: "state", Nesting: schema.Map, Label: "kind"}}}
	variableSchema = schema.Block{Kind: "variable",
		Attributes: []schema.Attribute{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}, {Name: "nullable"}},
		Blocks: []schema.Nested{{Name: "validation", Nesting: schema.List, Block: schema.Block{Kind: "validation",
			Attributes: []schema.Attribute{{Name: "condition", Required: true}, {Name: "error_message", Required: true}}}}}}
	outputSchema = schema.Block{Kind: "output",
		Attributes: []schema.Attribute{{Name: "value", Required: true}, {Name: "description"}, {Name: "sensitive"}, {Name: "depends_on"}}}
	movedSchema     = schema.Block{Kind: "moved", Attributes: []schema.Attribute{{Name: "from", Required: true}, {Name: "to", Required: true}}}
	lifecycleSchema = schema.Block{Kind: "lifecycle", Attributes: []schema.Attribute{{Name: "prevent_destroy", Type: cty.Bool}}}
	removedSchema   = schema.Block{Kind: "removed", Attributes: []schema.Attribute{{Name: "from", Required: true}},
		Blocks: []schema.Nested{{Name: "lifecycle", Block: schema.Block{Kind: "lifecycle", Attributes: []schema.Attribute{{Name: "destroy"}}}}}}
)

// metaArguments are the arguments that blocks of all kinds may have.
func metaArguments(s *schema.Block) (attributes, blocks []string) {
	attributes = []string{"depends_on"}
	if s.Repeats {
		attributes = append(attributes, "for_each", "matrix")
	}
	if s.Lifecycle {
		blocks = append(blocks, "lifecycle")
	}
	return attributes, blocks
}

// body checks the names in a body against the schema: unknown, missing and
// repeated ones. Values are checked when they are evaluated.
func (d *declarer) body(block *hclsyntax.Block, s *schema.Block) {
	c := bodyCheck{declarer: d, schema: s, what: capitalArticle(s.Kind) + " block", header: block.DefRange()}
	if d.schemas[s.Kind] == s {
		c.metaAttributes, c.metaBlocks = metaArguments(s)
		c.dynamic = true
	}
	c.check(block.Body)
}

// bodyCheck checks one body and the bodies in it.
type bodyCheck struct {
	*declarer
	schema                     *schema.Block
	what                       string // as the subject of a sentence
	header                     hcl.Range
	metaAttributes, metaBlocks []string
	dynamic                    bool
}

func (c *bodyCheck) check(body *hclsyntax.Body) {
	for name, attr := range body.Attributes {
		if _, ok := c.schema.Attribute(name); !ok && !slices.Contains(c.metaAttributes, name) {
			c.unknownAttribute(attr)
		}
	}
	for i := range c.schema.Attributes {
		if a := &c.schema.Attributes[i]; a.Required && !c.broken && body.Attributes[a.Name] == nil {
			c.add(errorAt(c.header, "Missing required argument", "%s needs %s.%s", c.what, a.Name, sentence(a.Doc)))
		}
	}
	if len(body.Blocks) > 0 || len(c.schema.Blocks) > 0 {
		c.blocks(body)
	}
}

func capitalArticle(noun string) string {
	s := article(noun)
	return strings.ToUpper(s[:1]) + s[1:]
}

// sentence is documentation as a further sentence of a diagnostic.
func sentence(doc string) string {
	if doc == "" {
		return ""
	}
	return " " + doc
}

func (c *bodyCheck) unknownAttribute(attr *hclsyntax.Attribute) {
	name := attr.Name
	if nested := c.nested(name); nested != nil {
		c.add(errorAt(attr.NameRange, "Unsupported argument", "In %s %s is a block, not an attribute: write %s { … }, without an equals sign.", c.schema.Kind, name, name))
		return
	}
	hint, ok := insteadOf[name]
	if !ok {
		hint = suggestOr(name, append(slices.Concat(c.metaAttributes, c.metaBlocks), c.schema.Names()...), "There are")
	}
	if (name == "for_each" || name == "matrix") && !c.schema.Repeats {
		hint = " Blocks of this kind cannot be repeated."
	}
	c.add(errorAt(attr.NameRange, "Unsupported argument", "%s has no argument %q.%s", c.what, name, hint))
}

func (c *bodyCheck) nested(name string) *schema.Nested {
	for i := range c.schema.Blocks {
		if c.schema.Blocks[i].Name == name {
			return &c.schema.Blocks[i]
		}
	}
	return nil
}

func (c *bodyCheck) blocks(body *hclsyntax.Body) {
	first := map[string]*hclsyntax.Block{}
	for _, block := range body.Blocks {
		name := block.Type
		if c.dynamic && name == "dynamic" {
			c.dynamicBlock(block, first)
			continue
		}
		nested := c.nested(name)
		if nested == nil {
			if !slices.Contains(c.metaBlocks, name) {
				c.unknownBlock(block)
			}
			continue
		}
		c.one(block, nested, first)
		c.into(block, nested)
	}
	for i := range c.schema.Blocks {
		if n := &c.schema.Blocks[i]; n.Required && !c.broken && first[n.Name] == nil {
			c.add(errorAt(c.header, "Missing required block", "%s needs a block %s { … }.", c.what, n.Name))
		}
	}
}

// one checks the labels of a nested block, and that it is not there twice.
func (c *bodyCheck) one(block *hclsyntax.Block, nested *schema.Nested, first map[string]*hclsyntax.Block) {
	key, labels := nested.Name, 0
	if nested.Nesting == schema.Map {
		labels = 1
		if len(block.Labels) > 0 {
			key += " " + block.Labels[0]
		}
	}
	switch {
	case len(block.Labels) < labels:
		c.add(errorAt(block.DefRange(), "Missing block label", "A block %s needs its %s as a label: %s \"…\" { … }.", nested.Name, or(nested.Label, "name"), nested.Name))
	case len(block.Labels) > labels:
		c.add(errorAt(block.LabelRanges[labels], "Too many block labels", "A block %s has %s here.", nested.Name, or(map[int]string{1: "one label"}[labels], "no label")))
	}
	if before := first[key]; before != nil && nested.Nesting != schema.List && len(block.Labels) == labels {
		c.add(errorAt(block.DefRange(), "Duplicate block", "There is a block %s at %s already, and only one is allowed.", key, place(before.DefRange())))
	}
	first[nested.Name], first[key] = block, block
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c *bodyCheck) into(block *hclsyntax.Block, nested *schema.Nested) {
	inner := bodyCheck{declarer: c.declarer, schema: &nested.Block, what: fmt.Sprintf("A block %s in %s", nested.Name, c.schema.Kind), dynamic: c.dynamic, header: block.DefRange()}
	if nested.Block.Kind == "" {
		named := nested.Block
		named.Kind = nested.Name
		inner.schema = &named
	}
	if c.schema.Kind == "esd" {
		return // what a state block may have is known to the backend only
	}
	inner.check(block.Body)
}

func (c *bodyCheck) unknownBlock(block *hclsyntax.Block) {
	name := block.Type
	if _, ok := c.schema.Attribute(name); ok {
		c.add(errorAt(block.DefRange(), "Unsupported block", "In %s %s is an attribute, not a block: write %s = …, with an equals sign.", c.schema.Kind, name, name))
		return
	}
	c.add(errorAt(block.TypeRange, "Unsupported block", "%s has no block %q.%s", c.what, name,
		suggestOr(name, append(slices.Clone(c.metaBlocks), c.schema.Names()...), "There are")))
}

// dynamicBlock checks a block that stands for repeated nested blocks.
func (c *bodyCheck) dynamicBlock(block *hclsyntax.Block, first map[string]*hclsyntax.Block) {
	if len(block.Labels) != 1 {
		c.add(errorAt(block.DefRange(), "Missing block label", "A dynamic block has one label, the type of the blocks that it makes: dynamic \"source\" { … }."))
		return
	}
	nested := c.nested(block.Labels[0])
	if nested == nil {
		c.add(errorAt(block.LabelRanges[0], "Unsupported block", "%s has no block %q.%s", c.what, block.Labels[0], suggestOr(block.Labels[0], c.schema.Names(), "There are")))
		return
	}
	first[nested.Name] = block
	frame := schema.Block{Kind: "dynamic", Attributes: []schema.Attribute{{Name: "for_each", Required: true}, {Name: "iterator"}, {Name: "labels"}},
		Blocks: []schema.Nested{{Name: "content", Required: true, Block: schema.Block{Kind: "content"}}}}
	outer := bodyCheck{declarer: c.declarer, schema: &frame, what: "A dynamic block", header: block.DefRange()}
	for _, inner := range block.Body.Blocks {
		if inner.Type == "content" {
			c.into(inner, nested)
			continue
		}
		outer.unknownBlock(inner)
	}
	shallow := *block.Body
	shallow.Blocks = nil
	frame.Blocks = nil
	outer.check(&shallow)
	if content(block) == nil {
		c.add(errorAt(block.DefRange(), "Missing required block", "A dynamic block needs a block content { … }, the body of the blocks that it makes."))
	}
	if nested.Nesting == schema.Map && block.Body.Attributes["labels"] == nil {
		c.add(errorAt(block.DefRange(), "Missing required argument", "Blocks of the type %s have a label: set labels = [%s.key].", nested.Name, nested.Name))
	}
}

// content is the content block of a dynamic block.
func content(dynamic *hclsyntax.Block) *hclsyntax.Block {
	for _, block := range dynamic.Body.Blocks {
		if block.Type == "content" {
			return block
		}
	}
	return nil
}
