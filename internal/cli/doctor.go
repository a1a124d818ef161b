package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type doctorCommand struct {
	*app
	configOptions
	sandbox string
	format  format
}

func newDoctorCommand(a *app) *cobra.Command {
	c := &doctorCommand{app: a}
	cmd := &cobra.Command{
		Use:   "doctor [PATH]",
		Short: "Say what this machine can do, with advice",
		Long: `Tries which sandboxes the machine allows, and looks for tools, at the file
systems and the free space of the directories that are written to, and for files
with credentials (their names only). Where there is a configuration, its build
caches are asked whether they can be read, and its instances of Spack are looked
for; nobody else on the network is asked. It fails only where builds, or plans
of the configuration, cannot work at all.`,
		Example: `  esd doctor
  esd doctor examples/ebrains-lab.hcl
  esd doctor --format=json`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE:              a.run(func(ctx context.Context, args []string) error { return c.run(ctx, first(args)) }),
	}
	c.configOptions.add(cmd)
	addSandbox(cmd, &c.sandbox)
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	return cmd
}

func (c *doctorCommand) run(ctx context.Context, path string) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	if path == "" {
		path = "."
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	findings := workspace.Examine(ctx, workspace.ExamineOptions{Dir: dir, Sandbox: c.sandbox, Getenv: c.io.Getenv, Version: Version})
	if workspace.HasConfiguration(path) {
		c.path = path
		findings = append(findings, workspace.ExamineConfiguration(ctx, c.workspaceOptions(c.configOptions))...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	can := workspace.CanBuild(findings)
	if c.format == formatJSON {
		err = view.JSON(c.io.Out, map[string]any{"format_version": view.FormatVersion, "can_build": can, "findings": findings})
	} else {
		var list []view.Finding
		for _, f := range findings {
			list = append(list, view.Finding{Group: f.Group, Name: f.Name, Grade: string(f.Grade), Text: f.Text, Advice: f.Advice})
		}
		err = view.Findings(c.io.Out, list, c.io.OutView)
	}
	if err == nil && !can {
		err = errors.New("builds or plans cannot work here; see above")
	}
	return err
}
