package image

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/oci"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/binary"
)

// toRead are the packages of a layer that have to be read from build caches.
func (a *assembly) toRead(l layer) []packageRef {
	return slices.DeleteFunc(slices.Clone(l.Packages), func(p packageRef) bool {
		_, cached := a.found[p.Key]
		return p.Hash == "" || cached && !a.image.Replace
	})
}

// findArchives looks for packages in the build caches of their environments,
// for all of an environment at once. One that is in none is an error, before
// anything is read.
func (a *assembly) findArchives(ctx context.Context, refs []packageRef) error {
	byEnvironment := map[int][]packageRef{}
	for _, ref := range refs {
		byEnvironment[ref.Environment] = append(byEnvironment[ref.Environment], ref)
	}
	a.archives = make(map[string]environment.Archive, len(refs))
	var errs []error
	for _, at := range slices.Sorted(maps.Keys(byEnvironment)) {
		all, err := a.specs(ctx, at)
		if err != nil {
			return err
		}
		var specs []*spack.Spec
		for _, ref := range byEnvironment[at] {
			s := all[ref.Hash]
			if s == nil {
				return fmt.Errorf("the plan is damaged: no package /%s is in %s", ref.Hash, a.image.Environments[at].LockPath)
			}
			specs = append(specs, s)
		}
		e := a.image.Environments[at]
		lock, err := a.provider.opts.Archives.Lock(ctx, e)
		if err != nil {
			return err
		}
		found, err := a.provider.opts.Archives.Find(ctx, e, lock, specs)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, ref := range byEnvironment[at] {
			a.archives[ref.Key] = found[ref.Hash]
			a.meter.total += found[ref.Hash].Size()
		}
	}
	return errors.Join(errs...)
}

// specs is the DAG of an environment, as it was when the plan was made.
func (a *assembly) specs(ctx context.Context, at int) (spack.Specs, error) {
	if at < 0 || at >= len(a.image.Environments) {
		return nil, fmt.Errorf("the plan is damaged: there is no environment %d", at)
	}
	lock, err := a.provider.opts.Archives.Lock(ctx, a.image.Environments[at])
	if err != nil {
		return nil, err
	}
	return lock.Specs, nil
}

// openArchive reads a package from its build cache, relocated to where it
// stands in the image. The archive is unpacked while it is read.
func (a *assembly) openArchive(ctx context.Context, p packageRef) (io.ReadCloser, error) {
	source, ok := a.archives[p.Key]
	if !ok {
		return nil, fmt.Errorf("%s is in no build cache", p.Title)
	}
	specs, err := a.specs(ctx, p.Environment)
	if err != nil {
		return nil, err
	}
	e := a.image.Environments[p.Environment]
	content, err := source.Open(ctx)
	if err != nil {
		return nil, from(source, err)
	}
	fmt.Fprintf(a.run.Log, "esd: layer of %s from %s (%d bytes)\n", p.Title, source.Location(), source.Size())
	content = &metered{ReadCloser: content, meter: &a.meter, remote: source.Settings.Remote()}
	request := binary.Request{
		Spec: specs[p.Hash], Specs: specs, Prefix: p.Prefix, Root: e.Root, StoreRoot: e.Root, TempDir: a.provider.tmpDir(),
		Locate: func(h spack.Hash) (string, bool) {
			s := specs[h]
			if s == nil {
				return "", false
			}
			prefix, err := prefixIn(e, s, specs)
			return prefix, err == nil && prefix != ""
		},
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := binary.Layer(ctx, content, w, request)
		if err == nil { // a wrong checksum shows at the very end
			_, err = io.Copy(io.Discard, content)
		}
		if err = errors.Join(err, content.Close()); err != nil {
			err = from(source, err)
		}
		w.CloseWithError(err)
	}()
	u := &unpacking{bufio.NewReader(r), r, done}
	// Nothing is written before the archive was read and found right: what is
	// wrong with it is known before the first byte.
	if _, err := u.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// from says where an archive is that there is something wrong with.
func from(source environment.Archive, err error) error {
	if where := source.Location(); !strings.Contains(err.Error(), where) {
		return fmt.Errorf("%s: %w", where, err)
	}
	return err
}

// unpacking is the reading end of a package that is unpacked. It is closed when
// the other end is.
type unpacking struct {
	*bufio.Reader
	pipe *io.PipeReader
	done <-chan struct{}
}

// Close implements io.Closer.
func (u *unpacking) Close() error {
	err := u.pipe.Close()
	<-u.done
	return err
}

// metered tells a meter what is read.
type metered struct {
	io.ReadCloser
	meter  *meter
	remote bool
}

// Read implements io.Reader.
func (m *metered) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	if n > 0 {
		m.meter.add(int64(n), m.remote)
	}
	return n, err
}

// treesLayer makes the layer with what Spack knows of its install trees.
func (a *assembly) treesLayer(ctx context.Context, l layer) (oci.Layer, error) {
	compression, err := archive.ParseCompression(a.image.Compression)
	if err != nil {
		return oci.Layer{}, err
	}
	specs := make([]spack.Specs, len(a.image.Environments))
	for i := range specs {
		if specs[i], err = a.specs(ctx, i); err != nil {
			return oci.Layer{}, err
		}
	}
	var refs []packageRef
	for _, other := range a.image.Layers {
		for _, p := range other.Packages {
			if p.Hash != "" {
				refs = append(refs, p)
			}
		}
	}
	t, err := newTrees(a.image.Environments, specs, refs)
	if err != nil {
		return oci.Layer{}, err
	}
	if t.key(a.image.Compression) != l.Key {
		return oci.Layer{}, errors.New("what Spack is to know of the packages is not what the plan says; the plan was made by another version of esd: plan again")
	}
	return a.made(ctx, l, []artifact.Input{{Name: "packages", Digest: fmt.Sprint(len(refs))}}, func(w io.Writer) (archive.Summary, error) {
		return archive.PackFiles(ctx, w, archive.PackFilesOptions{Files: t.files, Compression: compression, MTime: epochTime()})
	})
}
