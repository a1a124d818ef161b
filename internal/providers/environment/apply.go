package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/relocate"
	"esd/internal/spack/store"
)

// Apply records that an environment is complete: the steps before did the work.
func (p *Provider) Apply(_ context.Context, run providers.Run) (providers.Result, error) {
	st, err := decodeStep(run.Spec)
	if err != nil {
		return providers.Result{}, err
	}
	return providers.Result{Attributes: map[string]any{"lock": "sha256:" + st.Lock.SHA256}}, nil
}

func decodeStep(raw json.RawMessage) (stepSpec, error) {
	var st stepSpec
	if err := json.Unmarshal(raw, &st); err != nil {
		return st, fmt.Errorf("the plan is damaged: %w", err)
	}
	return st, nil
}

// Apply does one step of a package.
func (p *Packages) Apply(ctx context.Context, run providers.Run) (providers.Result, error) {
	st, err := decodeStep(run.Spec)
	if err != nil {
		return providers.Result{}, err
	}
	j := &job{shared: p.shared, run: run, step: st}
	if j.lock, err = p.locked(ctx, st.Lock); err != nil {
		return providers.Result{}, err
	}
	if j.spec = j.lock.Specs[st.Hash]; j.spec == nil {
		return providers.Result{}, fmt.Errorf("%s has no package /%s; the plan was made from another lock", st.Lock.Path, st.Hash)
	}
	switch run.Op {
	case opBuild:
		return j.build(ctx)
	case opInstall:
		return j.install(ctx)
	case opPush:
		return j.push(ctx)
	case OpSources:
		return j.fetchSources(ctx)
	}
	return providers.Result{}, fmt.Errorf("packages have no operation %q; the plan was made by another version of esd", run.Op)
}

// locked reads the lock that a plan was made from.
func (p *shared) locked(ctx context.Context, ref lockRef) (*lockfile.Lock, error) {
	lock, sum, err := p.read(ctx, ref.Path)
	if err != nil {
		return nil, fmt.Errorf("reading the lock: %w", err)
	}
	if sum != ref.SHA256 {
		return nil, ref.changed()
	}
	return lock, nil
}

func (r lockRef) changed() error {
	return fmt.Errorf("%s changed after the plan was made; plan again", r.Path)
}

// text is the lock that a plan was made from, as Spack wrote it.
func (r lockRef) text() ([]byte, error) {
	data, err := readFile(r.Path)
	if err == nil && digest(data) != r.SHA256 {
		err = r.changed()
	}
	return data, err
}

// job is one step of a package at work.
type job struct {
	*shared
	run  providers.Run
	step stepSpec
	lock *lockfile.Lock
	spec *spack.Spec
}

// store opens the store in which packages are built.
func (j *job) store() (*store.Store, error) {
	if err := os.MkdirAll(j.step.Store.Root, 0o755); err != nil {
		return nil, err
	}
	return j.step.Store.open(j.lock)
}

// find looks for the package in the caches, in their order: for one that can
// stand below root, if there is any.
func (j *job) find(ctx context.Context, root string) (Archive, error) {
	e := Environment{Caches: j.step.Read, Root: root, Projection: j.step.Store.Projection}
	found, err := Archives{j.shared}.Find(ctx, e, j.lock, []*spack.Spec{j.spec})
	return found[j.spec.Hash], err
}

// install brings the package from a cache into the store.
func (j *job) install(ctx context.Context) (providers.Result, error) {
	s, err := j.store()
	if err != nil {
		return providers.Result{}, err
	}
	defer s.Close()
	var size, downloaded int64
	var digest string
	done, err := s.Install(ctx, []store.Package{{Spec: j.spec}}, store.InstallOptions{
		Specs: j.lock.Specs, Jobs: 1,
		Fetch: func(ctx context.Context, spec *spack.Spec) (io.ReadCloser, error) {
			archive, err := j.find(ctx, s.Root())
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(j.run.Log, "esd: installing %s from %s\n", spec.ID(), archive.Location())
			digest = archive.SHA256()
			if size = archive.Size(); archive.Settings.Remote() {
				downloaded = size
			}
			r, err := archive.Open(ctx)
			if err != nil {
				return nil, err
			}
			return &progress{ReadCloser: r, total: size, tell: j.run.Progress}, nil
		},
	})
	var grown *relocate.CannotGrowStringError
	if errors.As(err, &grown) {
		j.finder.known.setStuck(digest, j.step.Store.Root)
		err = fmt.Errorf("%w\nThe path of the store in which packages are built is longer than the one that it was built at: run the same command again, and it is built here", err)
	}
	return providers.Result{Reused: len(done.Reused) > 0, Size: size, Downloaded: downloaded}, err
}

// push brings the package to the caches that lack it: from the cache that has
// it, or else from the store where it was built.
func (j *job) push(ctx context.Context) (providers.Result, error) {
	from, err := j.find(ctx, j.step.Root)
	switch {
	case errors.Is(err, ErrNotCached):
		return j.pack(ctx)
	case err != nil:
		return providers.Result{}, err
	}
	result := providers.Result{Size: from.Size()}
	for _, to := range j.step.Write {
		if equal(to, from.Settings) {
			continue
		}
		c, err := j.opts.Caches.Open(ctx, to)
		if err != nil {
			return result, err
		}
		if err := copyTo(ctx, c, from, j.lock, j.spec, j.step.replaces(to)); err != nil {
			return result, fmt.Errorf("build cache %q (%s): %w", to.Name, to.URL, err)
		}
		j.pushed.add(to)
		if to.Remote() {
			result.Uploaded += from.Size()
		}
		if from.Settings.Remote() {
			result.Downloaded = from.Size()
		}
	}
	return result, nil
}

// pack makes the archive of an installed package and stores it in the caches
// that get what is built.
func (j *job) pack(ctx context.Context) (providers.Result, error) {
	s, err := j.store()
	if err != nil {
		return providers.Result{}, err
	}
	defer s.Close()
	prefix, ok := s.Locate(ctx, j.spec.Hash)
	if !ok {
		return providers.Result{}, fmt.Errorf("%s is neither in a build cache nor installed in %s; plan again", j.spec.ID(), j.step.Store.Root)
	}
	tmp := filepath.Join(j.opts.WorkDir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return providers.Result{}, err
	}
	file, err := os.CreateTemp(tmp, j.spec.Name+"-*.spack")
	if err != nil {
		return providers.Result{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	packed, err := binary.Pack(ctx, file, binary.PackRequest{
		Prefix: prefix, Spec: j.spec, Specs: j.lock.Specs, StoreRoot: s.Root(), UnpaddedRoot: s.UnpaddedRoot(),
		Locate: func(h spack.Hash) (string, bool) { return s.Locate(ctx, h) },
	})
	if err != nil {
		return providers.Result{}, fmt.Errorf("packing %s: %w", j.spec.ID(), err)
	}
	result := providers.Result{Size: packed.Size}
	archive := buildcache.Archive{
		Open:   func() (io.ReadCloser, error) { return os.Open(file.Name()) },
		SHA256: packed.SHA256.Encoded(), Size: packed.Size, DiffID: packed.DiffID.Encoded(), TarSize: packed.TarSize,
	}
	for _, to := range j.step.Write {
		c, err := j.opts.Caches.Open(ctx, to)
		if err != nil {
			return result, err
		}
		_, err = c.Push(ctx, buildcache.PushRequest{
			Spec: j.spec, Specs: j.lock.Specs, Archive: archive, Prefix: prefix, Force: j.step.replaces(to),
		})
		if err != nil {
			return result, fmt.Errorf("build cache %q (%s): %w", to.Name, to.URL, err)
		}
		j.pushed.add(to)
		j.finder.known.sound(archive.SHA256)
		fmt.Fprintf(j.run.Log, "esd: stored %s in %s\n", j.spec.ID(), c.Location())
		if to.Remote() {
			result.Uploaded += packed.Size
		}
	}
	if len(j.step.Write) == 0 {
		return result, errors.New("no build cache takes what is built: none of the environment's caches has push = true")
	}
	return result, nil
}

// progress tells how much of an archive was read.
type progress struct {
	io.ReadCloser
	done, total int64
	tell        func(done, total int64)
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.done += int64(n)
	if p.tell != nil {
		p.tell(p.done, p.total)
	}
	return n, err
}
