package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/graph"
	"esd/internal/view"
	"esd/internal/workspace"
)

type graphCommand struct {
	*app
	planOptions
	steps, reduce bool
	packages      bool
	focus         string
	depth         int
	format        format
}

func newGraphCommand(a *app) *cobra.Command {
	c := &graphCommand{app: a}
	cmd := &cobra.Command{
		Use:   "graph [PATH]",
		Short: "Draw what depends on what",
		Long: `Writes the graph of the objects of a configuration, or with --plan that of the
steps that apply would run. An arrow leads from each node to what it depends on.

The packages of an environment are drawn as one node, unless --packages asks for
all of them, or --focus for one.`,
		Example: `  esd graph | dot -Tsvg > graph.svg
  esd graph --format=mermaid --reduce            for a page on GitLab or GitHub
  esd graph --focus recipe.greet --depth 1       it and its neighbours
  esd graph --plan
  esd graph --packages --focus environment.sim/hdf5 --depth 1`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.configOptions.add(cmd)
	c.addSelection(cmd)
	c.addRefresh(cmd)
	c.format.add(cmd, "a `FORMAT`: dot (default), mermaid or json", "dot", "mermaid", formatJSON)
	f := cmd.Flags()
	f.BoolVar(&c.steps, "plan", false, "the steps that apply would run")
	f.BoolVar(&c.packages, "packages", false, "every package of an environment")
	f.BoolVar(&c.reduce, "reduce", false, "leave out edges that follow from others")
	f.StringVar(&c.focus, "focus", "", "only `ADDRESS`, what it needs and what needs it")
	f.IntVar(&c.depth, "depth", 0, "with --focus: how many edges away, `N` (default: all)")
	_ = cmd.RegisterFlagCompletionFunc("focus", completeAddresses(&c.configOptions))
	return cmd
}

func (c *graphCommand) run(ctx context.Context) error {
	if err := c.format.check("dot", "mermaid", formatJSON); err != nil {
		return err
	}
	if c.depth < 0 || c.depth > 0 && c.focus == "" {
		return usageError(errors.New("--depth is a number of edges, and goes with --focus"))
	}
	d, err := c.drawing(ctx)
	if err != nil {
		return err
	}
	var focus addr.Target
	if c.focus != "" {
		if focus, err = addr.ParseTarget(c.focus); err != nil {
			return usageError(fmt.Errorf("--focus: %w", err))
		}
	}
	if !c.packages && focus.Address.Package == "" {
		if d, err = d.Collapse(); err != nil {
			return err
		}
	}
	if c.focus != "" {
		if d, err = d.Focus(focus, c.depth); err != nil {
			return err
		}
	}
	if c.reduce {
		d = d.Reduce()
	}
	return c.write(d)
}

func (c *graphCommand) drawing(ctx context.Context) (workspace.Drawing, error) {
	opts, err := c.parse()
	if err != nil {
		return workspace.Drawing{}, err
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return workspace.Drawing{}, err
	}
	if c.steps {
		planned, err := w.Plan(ctx, opts)
		if err != nil {
			return workspace.Drawing{}, err
		}
		c.warn(planned.Warnings)
		return workspace.StepGraph(planned.Plan)
	}
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return workspace.Drawing{}, diags
	}
	c.warn(diags)
	return resolved.Graph()
}

func (c *graphCommand) write(d workspace.Drawing) error {
	opts := graph.DrawOptions{Title: "esd", Attributes: func(n int) graph.NodeStyle { return style(d.Nodes[n]) }}
	switch c.format {
	case formatJSON:
		return view.GraphJSON(c.io.Out, d.DAG, func(n int) any { return d.Nodes[n] })
	case "mermaid":
		if d.DAG.Edges() > graph.MermaidMaxEdges {
			_ = view.Note(c.io.Err, fmt.Sprintf("Mermaid draws up to %d edges, and this graph has %s: narrow it with --focus, or try --reduce.",
				graph.MermaidMaxEdges, view.Number(d.DAG.Edges())), c.io.ErrView)
		}
		return d.DAG.WriteMermaid(c.io.Out, opts)
	}
	return d.DAG.WriteDOT(c.io.Out, opts)
}

// packagesIn says what a node stands for.
func packagesIn(n workspace.DrawnNode) string {
	if len(n.Ops) == 0 {
		text := view.Plural(n.Packages, "package")
		if n.Asked > 0 {
			text += fmt.Sprintf(", %s of them asked for", view.Number(n.Asked))
		}
		return text
	}
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(n.Ops)) {
		parts = append(parts, op+" "+view.Number(n.Ops[op]))
	}
	return strings.Join(parts, ", ")
}

// style draws targets as what they are, packages plain, settings muted.
func style(n workspace.DrawnNode) graph.NodeStyle {
	s := graph.NodeStyle{Label: n.Address}
	if n.Title != "" && n.Packages == 0 {
		s.Label += "\n" + n.Title
	}
	if n.Packages > 0 {
		s.Label += "\n" + packagesIn(n)
	}
	if a, err := addr.Parse(n.Address); err == nil {
		s.Group = a.Module
		if a.Package != "" {
			s.Group, s.Label = a.Whole().String(), a.Package
			if n.Op != "" {
				s.Label = n.Op + " " + a.Package
			}
		}
		switch a.Kind {
		case "recipe", "environment":
		case "cache", "cache.artifact", "cache.buildcache", "cache.sources", "spack", "site", "executor":
			s.Shape, s.Tone = graph.Cylinder, graph.Muted
		default:
			s.Shape = graph.Hexagon
		}
	}
	switch n.Op {
	case "":
		if len(n.Ops) > 0 {
			s.Tone = graph.Added
		}
	case "destroy", "delete", "unpublish":
		s.Tone = graph.Removed
	case "fetch":
		s.Tone = graph.Changed
	default:
		s.Tone = graph.Added
	}
	return s
}
