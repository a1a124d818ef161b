package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"esd/internal/providers"
	"esd/internal/providers/cache"
	instance "esd/internal/providers/spack"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/command"
)

// HasConfiguration reports whether there is a configuration at a path: a .hcl file,
// or a directory with some.
func HasConfiguration(path string) bool {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return strings.HasSuffix(path, ".hcl")
	}
	files, _ := filepath.Glob(filepath.Join(path, "*.hcl")) // the pattern is right
	for _, f := range files {
		if !strings.HasSuffix(f, ".lock.hcl") {
			return true
		}
	}
	return false
}

// ExamineConfiguration finds out whether what a configuration names can be
// reached: build caches, each with a request or two, and instances of Spack.
func ExamineConfiguration(ctx context.Context, opts Options) []Finding {
	e := &examiner{opts: ExamineOptions{Getenv: opts.Environ}}
	w, diags := Open(opts)
	var objects []*providers.Object
	if !diags.HasErrors() {
		resolved, more := w.Resolve(ctx, nil)
		diags, objects = append(diags, more...), resolved.Objects
	}
	if diags.HasErrors() {
		e.add("configuration", opts.Path, Hint, "it has mistakes, and what they are about was left out", "`esd validate` tells them.")
	}
	caches := make([][]Finding, len(objects))
	var wg sync.WaitGroup
	for i, o := range objects {
		if settings, ok := o.Spec.(cache.Buildcache); ok {
			wg.Go(func() { caches[i] = []Finding{w.examineCache(ctx, o.Address.String(), settings)} })
		}
	}
	wg.Wait()
	for _, found := range caches {
		e.found = append(e.found, found...)
	}
	for _, o := range objects {
		if i, ok := o.Spec.(instance.Instance); ok && o.Kind == instance.KindName {
			e.instance(ctx, o, i)
		}
	}
	return e.found
}

// examineCache asks a build cache for its layout, and for a package that it does
// not have.
func (w *Workspace) examineCache(ctx context.Context, address string, s cache.Buildcache) Finding {
	f := Finding{Group: "build caches", Name: address, Grade: Good}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	dir, local := strings.CutPrefix(s.URL, "file://")
	if _, err := os.Stat(dir); local && errors.Is(err, os.ErrNotExist) {
		f.Text = s.URL + ": not there yet; the first push makes it"
		if err := writable(existing(dir)); !s.Push {
			f.Grade, f.Text, f.Advice = Hint, s.URL+": not there, and never pushed to (push = false)", "Is the path right?"
		} else if err != nil {
			f.Grade, f.Text, f.Advice = Broken, s.URL+": not there", "It cannot be made: "+err.Error()+"."
		}
		return f
	}
	layout, err := w.askCache(ctx, s)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f.Grade, f.Text, f.Advice = Broken, fmt.Sprintf("%s did not answer within %s", s.URL, probeTime), "Plans of what it serves wait for it, and fail."
		return f
	default:
		f.Grade, f.Text = Broken, fmt.Sprintf("%s cannot be read: %v", s.URL, err)
		if errors.Is(err, buildcache.ErrDenied) {
			f.Advice = "Its credentials are missing or wrong."
		}
		return f
	}
	f.Text = fmt.Sprintf("%s: layout %s, readable", s.URL, layout)
	switch {
	case !s.Push:
		f.Text += ", never pushed to"
	case !local:
		f.Text += "; whether it can be pushed to shows when something is"
	default:
		if err := writable(dir); err != nil {
			f.Grade, f.Advice = Broken, "It cannot be written, but push is true: "+err.Error()+"."
			return f
		}
		f.Text += ", writable"
	}
	return f
}

func (w *Workspace) askCache(ctx context.Context, s cache.Buildcache) (buildcache.Layout, error) {
	c, err := w.buildcaches().Open(ctx, s)
	if err != nil {
		return buildcache.Auto, err
	}
	layout, err := c.Layout(ctx)
	if err != nil {
		return layout, err
	}
	nowhere := &spack.Spec{Name: "esd-doctor", Version: "0", Hash: spack.Hash(strings.Repeat("a", 32))}
	_, err = c.Lookup(ctx, []*spack.Spec{nowhere}, buildcache.LookupOptions{Index: buildcache.IndexNever})
	return layout, err
}

// instance looks at a Spack that a block names. One in a git repository is not
// fetched for that.
func (e *examiner) instance(ctx context.Context, o *providers.Object, i instance.Instance) {
	const group = "instances of Spack"
	name := o.Address.String()
	switch {
	case len(o.Unpinned) > 0:
		e.add(group, name, Hint, i.Repository+" is not pinned to a commit", "`esd lock` does that.")
	case i.Repository != "":
		e.add(group, name, Good, fmt.Sprintf("%s at %.12s; it is cloned when something is locked or built", i.Repository, i.Commit))
	default:
		found, err := command.Find(ctx, command.Location{Path: i.Path})
		if err != nil {
			e.add(group, name, Hint, err.Error(), "It is needed to lock and to build only.")
			break
		}
		e.add(group, name, Good, found.Version.String()+", "+found.Root)
	}
	for _, p := range i.Packages {
		if _, err := os.Stat(p.Path); p.Path != "" && err != nil {
			e.add(group, name, Hint, fmt.Sprintf("the package repository %s: %v", p.Name, err))
		}
	}
}
