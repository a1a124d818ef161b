package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"esd/internal/providers"
	instance "esd/internal/providers/spack"
	"esd/internal/sandbox"
	"esd/internal/spack"
	"esd/internal/spack/command"
	"esd/internal/spack/store"
)

// build lets Spack build the package in the store, and stores it in the build
// caches at once.
func (j *job) build(ctx context.Context) (providers.Result, error) {
	if err := j.step.Store.check(); err != nil {
		return providers.Result{}, err
	}
	if j.step.Replace {
		if err := j.uninstall(ctx); err != nil {
			return providers.Result{}, err
		}
	}
	in, err := j.instance(ctx, j.step.Network)
	if err != nil {
		return providers.Result{}, err
	}
	data, err := j.step.Lock.text()
	if err != nil {
		return providers.Result{}, err
	}
	jobs := j.run.CPUs
	if j.run.Attempt > 1 {
		jobs = max(jobs/2, 1)
	}
	built, err := in.Build(ctx, command.BuildRequest{
		Lock: data, Hash: j.spec.Hash, Jobs: jobs, Keep: filepath.Join(j.opts.WorkDir, "builds", j.spec.ID()), KeepStage: true,
		Output: j.run.Log,
	})
	if err != nil {
		return providers.Result{}, explain(err)
	}
	result, err := j.pack(ctx)
	result.PeakMemory = built.Exit.MaxRSS
	result.Reused = built.Present && err == nil
	return result, err
}

// uninstall takes the package out of the store, so that it is built anew.
func (j *job) uninstall(ctx context.Context) error {
	s, err := j.store()
	if err != nil {
		return err
	}
	defer s.Close()
	if _, there := s.Locate(ctx, j.spec.Hash); !there {
		return nil
	}
	return s.Remove(ctx, []spack.Hash{j.spec.Hash}, store.RemoveOptions{Force: true})
}

// explain says which failures are worth another attempt.
func explain(err error) error {
	if errors.Is(err, command.ErrOutOfMemory) {
		return &providers.RetryError{Err: err, OutOfMemory: true}
	}
	if errors.Is(err, command.ErrFetch) {
		return fmt.Errorf("%w\n(In the sandbox a build sees neither the network nor files outside the system, unless the environment says so: "+
			"with a `cache \"sources\"` among its caches, sources are fetched before, outside of it)", err)
	}
	return err
}

// instance is the Spack of the step, in its sandbox. The configuration of
// equal steps is equal, so that they share what Spack learns from recipes.
func (j *job) instance(ctx context.Context, network bool) (*command.Instance, error) {
	settings := command.Settings{
		Store: command.Store{
			Root: j.step.Store.Root, PaddedLength: j.step.Store.PaddedLength,
			Projections: map[string]string{"all": string(j.step.Store.Projection)},
		},
	}
	if j.step.BuildDir != "" {
		settings.Stage = filepath.Join(j.step.BuildDir, "esd-"+strconv.Itoa(os.Getuid()))
		if err := ownDirectory(settings.Stage); err != nil {
			return nil, err
		}
	}
	if len(j.step.Sources) > 0 {
		settings.Mirrors = []command.Mirror{{Name: "sources", URL: "file://" + j.sourceMirror(), Source: true}}
	}
	dir := j.step.Store.spackDir()
	run, err := j.sandboxed(ctx, dir, network)
	if err != nil {
		return nil, err
	}
	settings.Dir, settings.Run = instanceDir(dir), run
	return j.open(ctx, j.step.Spack, j.step.Config, settings)
}

// open finds a Spack, or clones it, and configures it.
func (p *shared) open(ctx context.Context, i instance.Instance, config json.RawMessage, settings command.Settings) (*command.Instance, error) {
	clones := filepath.Join(p.opts.WorkDir, "spack", "clones")
	found, err := command.Find(ctx, command.Location{Path: i.Path, Git: i.Repository, Commit: i.Commit, Clones: clones})
	if err != nil {
		return nil, err
	}
	settings.Python = i.Python
	for _, name := range slices.Sorted(maps.Keys(i.Env)) {
		settings.Env = append(settings.Env, name+"="+i.Env[name])
	}
	for _, r := range i.Packages {
		repository := command.Repository{Namespace: r.Name, Path: r.Path}
		if r.Repository != "" {
			clone, err := command.Clone(ctx, r.Repository, r.Commit, clones)
			if err != nil {
				return nil, err
			}
			if repository.Path = filepath.Join(clone, r.Directory); r.Directory == "" {
				if repository.Path, err = command.FindRepository(clone, r.Name); err != nil {
					return nil, err
				}
			}
		}
		settings.Repositories = append(settings.Repositories, repository)
	}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &settings.Config); err != nil {
			return nil, fmt.Errorf("the configuration of Spack: %w", err)
		}
	}
	return command.New(found, settings)
}

// sandboxed runs commands of Spack apart from the machine: they can write below
// dir and where the command says, and have no network unless they are given it.
func (j *job) sandboxed(ctx context.Context, dir string, network bool) (command.Runner, error) {
	box, why, err := sandbox.Choose(sandbox.Probe(ctx), j.step.Sandbox)
	if err != nil {
		return nil, err
	}
	var once sync.Once
	return func(ctx context.Context, c command.Command) (command.Exit, error) {
		once.Do(func() { fmt.Fprintf(j.run.Log, "esd: sandbox %s\n", why) })
		spec := sandbox.Spec{
			Root: dir, RootDir: dir, Dir: c.Dir, Argv: c.Argv, Env: c.Env, Network: network, Stdout: c.Output, Grace: c.Grace,
		}
		for _, w := range c.Writes {
			if !below(dir, w) {
				spec.Binds = append(spec.Binds, sandbox.Bind{Source: w, Target: w})
			}
		}
		for _, r := range c.Reads {
			if !below(dir, r) {
				spec.Binds = append(spec.Binds, sandbox.Bind{Source: r, Target: r, ReadOnly: true})
			}
		}
		result, err := box.Run(ctx, spec)
		exit := command.Exit{
			Code: result.ExitCode, OutOfMemory: result.OOM, Duration: result.Duration, MaxRSS: result.MaxRSS,
		}
		var failed *sandbox.ExitError
		if errors.As(err, &failed) {
			exit.Code, exit.Signal = failed.Code, failed.Signal
			if failed.Signal != 0 {
				exit.Code = -1
			}
			err = nil
		}
		return exit, err
	}, nil
}

// ownDirectory makes a directory in one where others may write, and refuses one that
// somebody else made there: what is built in it would be theirs to change.
func ownDirectory(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("the build directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("the build directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("the build directory: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("packages would be built in %s, which is no directory, or others may write there: remove it, or name another build_directory", dir)
	}
	return nil
}

func below(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
