package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/importer"
	"esd/internal/providers/environment"
	"esd/internal/view"
)

type importCommand struct {
	*app
	path, dir, from, name, spackRef string
	keep, force                     bool
}

func newImportCommand(a *app) *cobra.Command {
	c := &importCommand{app: a}
	cmd := &cobra.Command{
		Use:   "import PATH",
		Short: "Write a configuration from a spack.yaml or a recipe of another tool",
		Long: `Writes a configuration from what another tool is configured with:

  spack          a spack.yaml; --keep refers to it as it is
  spacktainers   a container definition: YAML, or a .def file
  stackinator    a recipe: the directory with its environments.yaml

What PATH is, is told by what is in it. Everything that could not be carried
over is listed on standard error with its place and the reason, and stands as a
comment where it would belong. Definitions and matrices of specs are written
out, included files of Spack are merged, paths are made to fit.

The file is named after the environment. A spack.lock beside a spack.yaml is
copied to where esd lock --adopt takes it. A file that is there already is not
touched without --force. With -o - it is written to standard output.`,
		Example: `  esd import spack.yaml -o stack && cd stack && esd lock
  esd import recipes/prgenv-gnu --name prgenv -o -`,
		Args: func(cmd *cobra.Command, args []string) error {
			return between(1, 1, "path of what to import")(cmd, args)
		},
		RunE: a.run(func(_ context.Context, args []string) error {
			c.path = args[0]
			return c.run()
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&c.dir, "output", "o", ".", "write the configuration into `DIR`, which is made if it is missing; - for standard output")
	f.StringVar(&c.from, "from", "", "take PATH for what a `KIND` of tool is configured with: "+strings.Join(importer.Kinds(), ", "))
	f.StringVar(&c.name, "name", "", "call the environment and the file `NAME`")
	f.StringVar(&c.spackRef, "spack", "", "use this `REF` of Spack: a tag, branch or commit")
	f.BoolVar(&c.keep, "keep", false, "refer to the spack.yaml in place of writing out what is in it")
	f.BoolVar(&c.force, "force", false, "overwrite a file that is there")
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(importer.Kinds(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("output")
	return cmd
}

func (c *importCommand) run() error {
	opts := importer.Options{From: importer.Kind(c.from), Name: c.name, Dir: c.dir, Keep: c.keep, SpackRef: c.spackRef}
	if c.dir == "-" {
		opts.Dir = "."
	}
	result, err := importer.Import(c.path, opts)
	if err != nil {
		return fmt.Errorf("importing %s: %w", c.path, err)
	}
	if c.dir == "-" {
		if _, err := c.io.Out.Write(result.HCL); err != nil {
			return err
		}
		return c.report(result)
	}
	files := []newFile{{filepath.Join(c.dir, result.Name+".hcl"), result.HCL}}
	lock, err := c.lockOf(result)
	if err != nil {
		return err
	}
	if lock.data != nil {
		files = append(files, lock)
	}
	for _, f := range files {
		if err := c.free(f); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := f.write(); err != nil {
			return err
		}
		if err := view.Text(c.io.Out, "wrote "+f.name, c.io.OutView); err != nil {
			return err
		}
	}
	if err := c.report(result); err != nil {
		return err
	}
	return view.Note(c.io.Err, c.next(lock.data != nil), c.io.ErrView)
}

// lockOf is the lock of a spack.yaml, at the place from which `esd lock --adopt`
// takes it; without data if there is none.
func (c *importCommand) lockOf(result *importer.Result) (newFile, error) {
	if result.Kind != importer.Spack {
		return newFile{}, nil
	}
	data, err := importer.LockBeside(c.path)
	if err != nil {
		return newFile{}, fmt.Errorf("importing the lock of %s: %w", c.path, err)
	}
	return newFile{environment.LockPath(c.dir, addr.Address{Kind: environment.Kind, Name: result.Name}), data}, nil
}

// next says what to do with what was written: with the directory, as the other
// commands take it without a path.
func (c *importCommand) next(locked bool) string {
	path, lock := "", "esd lock"
	if filepath.Clean(c.dir) != "." {
		path = " " + filepath.Clean(c.dir)
	}
	if locked {
		lock += " --adopt"
	}
	return "Next: read it, then esd validate" + path + " and " + lock + path
}

// report lists what was not carried over.
func (c *importCommand) report(result *importer.Result) error {
	lost := 0
	for _, n := range result.Notes {
		if n.Lost {
			lost++
		}
		if err := view.Text(c.io.Err, n.String(), c.io.ErrView); err != nil {
			return err
		}
	}
	if lost == 0 {
		return nil
	}
	return view.Note(c.io.Err, view.Plural(lost, "thing")+" could not be carried over.", c.io.ErrView)
}

// newFile is a file to be written.
type newFile struct {
	name string
	data []byte
}

// free refuses to overwrite another file.
func (c *importCommand) free(f newFile) error {
	_, err := os.Lstat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && c.force:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s exists already. Nothing was changed; --force overwrites it, --name NAME or -o DIR write another file", f.name)
}

// write writes the file, whole or not at all.
func (f newFile) write() error {
	if err := os.MkdirAll(filepath.Dir(f.name), 0o755); err != nil {
		return err
	}
	return importer.WriteFile(f.name, f.data)
}
