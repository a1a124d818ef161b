package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync/atomic"

	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/store"
)

// installing is an install step at work.
type installing struct {
	provider *Provider
	run      providers.Run
	step     stepSpec
	store    *store.Store
	ledger   ledger
	missing  []memberRef

	locks    []*lockfile.Lock // by environment
	specs    spack.Specs      // of all of them
	archives map[spack.Hash]environment.Archive

	total, read, told atomic.Int64 // bytes of archives
	downloaded        atomic.Int64
}

// readLocks reads what the packages are made of.
func (in *installing) readLocks(ctx context.Context) error {
	in.specs = spack.Specs{}
	for _, e := range in.step.Environments {
		lock, err := in.provider.opts.Archives.Lock(ctx, e)
		if err != nil {
			return err
		}
		in.locks = append(in.locks, lock)
		maps.Copy(in.specs, lock.Specs)
	}
	for _, m := range in.step.Members {
		if m.Environment < 0 || m.Environment >= len(in.locks) || in.locks[m.Environment].Specs[m.Hash] == nil {
			return fmt.Errorf("the locks have no package /%s; the plan is damaged", m.Hash)
		}
	}
	return nil
}

func (in *installing) install(ctx context.Context, result *providers.Result) error {
	if err := in.find(ctx); err != nil {
		return err
	}
	var list []store.Package
	for _, m := range in.step.Members {
		list = append(list, store.Package{Spec: in.specs[m.Hash], Explicit: m.Asked})
	}
	jobs := in.run.CPUs
	if in.step.Jobs > 0 {
		jobs = in.step.Jobs
	}
	done, err := in.store.Install(ctx, list, store.InstallOptions{
		Specs: in.specs, Jobs: jobs, Fetch: in.fetch, Progress: in.event,
	})
	result.Reused = len(in.missing) == 0
	result.Size, result.Downloaded = in.read.Load(), in.downloaded.Load()
	fmt.Fprintf(in.run.Log, "esd: %s installed in %s, %d were there\n", packages(len(done.Installed), "", ""), in.step.Tree.Path, len(done.Reused))
	return err
}

// find looks for the archives of all missing packages at once. One that is not
// found is an error of its own when it is its turn.
func (in *installing) find(ctx context.Context) error {
	in.archives = map[spack.Hash]environment.Archive{}
	byEnvironment := make([][]*spack.Spec, len(in.locks))
	for _, m := range in.missing {
		byEnvironment[m.Environment] = append(byEnvironment[m.Environment], in.specs[m.Hash])
	}
	for i, specs := range byEnvironment {
		if len(specs) == 0 {
			continue
		}
		found, err := in.provider.opts.Archives.Find(ctx, in.environment(i), in.locks[i], specs)
		if err != nil && len(found) == 0 {
			return err
		}
		for h, a := range found {
			in.archives[h] = a
			in.total.Add(a.Size())
		}
	}
	return nil
}

// environment is one of the environments, as what stands in the tree.
func (in *installing) environment(i int) environment.Environment {
	e := in.step.Environments[i]
	e.Root, e.Projection = in.step.Tree.Path, in.step.Tree.Projection
	return e
}

// fetch opens the archive of a package.
func (in *installing) fetch(ctx context.Context, s *spack.Spec) (io.ReadCloser, error) {
	archive, ok := in.archives[s.Hash]
	if !ok {
		var err error
		if archive, err = in.search(ctx, s); err != nil {
			return nil, err
		}
		in.total.Add(archive.Size())
	}
	if archive.Settings.Remote() {
		in.downloaded.Add(archive.Size())
	}
	r, err := archive.Open(ctx)
	if errors.Is(err, buildcache.ErrChanged) {
		if archive, err = in.search(ctx, s); err == nil {
			r, err = archive.Open(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return &counted{r, in}, nil
}

// search looks for one package in the caches of all environments that have it.
func (in *installing) search(ctx context.Context, s *spack.Spec) (found environment.Archive, err error) {
	for i, lock := range in.locks {
		if lock.Specs[s.Hash] == nil {
			continue
		}
		all, problem := in.provider.opts.Archives.Find(ctx, in.environment(i), lock, []*spack.Spec{s})
		if a, ok := all[s.Hash]; ok {
			return a, nil
		}
		err = problem
	}
	return found, err
}

// event writes the log.
func (in *installing) event(e store.Event) {
	name := e.Spec.Name + " " + e.Spec.Version + " /" + e.Spec.Hash.Short()
	switch e.Kind {
	case store.Installed:
		fmt.Fprintf(in.run.Log, "esd: installed %s\n", name)
	case store.Failed:
		fmt.Fprintf(in.run.Log, "esd: %s was not installed: %v\n", name, e.Err)
	case store.Skipped:
		fmt.Fprintf(in.run.Log, "esd: %s was skipped: something that it needs was not installed\n", name)
	case store.Started, store.Reused, store.External:
	}
}

// counted tells how much was read of all archives together.
type counted struct {
	io.ReadCloser
	in *installing
}

// tellings is how often progress is told at most: many archives are read at the
// same time, in small pieces.
const tellings = 200

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	done, total := c.in.read.Add(int64(n)), c.in.total.Load()
	if told := c.in.told.Load(); done-told > total/tellings && c.in.told.CompareAndSwap(told, done) {
		c.in.run.Progress(done, max(done, total))
	}
	return n, err
}
