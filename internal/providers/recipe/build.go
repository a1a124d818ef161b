package recipe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/sandbox"
)

// logLimit is how much a script may print, in bytes, before its log is cut.
const logLimit = 64 << 20

// errNoCache says that a product would be lost as soon as it is made.
var errNoCache = errors.New("no cache takes the product: none of the cache blocks has push = true")

// build makes the product and puts it into the caches, unless one has it.
//
// The product stands installed on this machine before it goes to the caches:
// where those cannot be reached, or esd is killed, the next run finds it and
// does not build again.
func (j *job) build(ctx context.Context) (providers.Result, error) {
	if !j.step.Replace {
		result, ok, err := j.fromCache(ctx)
		if ok || err != nil {
			return result, err
		}
	}
	if !slices.ContainsFunc(j.step.Caches, func(c cache.Settings) bool { return c.Push }) {
		return providers.Result{}, errNoCache // better now than after hours of building
	}
	var took sandbox.Result
	if i, ok := j.place.read(j.step.Base); !ok || i.Key != j.run.Key || j.step.Replace {
		var err error
		if took, err = j.make(ctx); err != nil {
			return providers.Result{}, err
		}
	} else {
		fmt.Fprintf(j.run.Log, "esd: %s was built before and is in no cache yet\n", j.step.Base)
	}
	record, err := j.keep(ctx, took)
	if err != nil {
		return providers.Result{}, err
	}
	result := providers.Result{Attributes: j.attributes(record), PeakMemory: took.MaxRSS, Size: record.Archive.Size}
	for _, c := range j.step.Caches {
		if c.Push && c.Remote() {
			result.Uploaded += record.Archive.Size
		}
	}
	return result, nil
}

// fromCache installs the product from a cache; false if none has it whole.
func (j *job) fromCache(ctx context.Context) (providers.Result, bool, error) {
	c, record, settings, ok, err := j.cached(ctx)
	if !ok || err != nil {
		return providers.Result{}, false, err
	}
	result, err := j.install(ctx, c, record, settings)
	var corrupt *artifact.CorruptError
	if errors.As(err, &corrupt) {
		fmt.Fprintf(j.run.Log, "esd: %v; building it anew\n", err)
		return providers.Result{}, false, nil
	}
	result.Reused = true
	return result, err == nil, err
}

// make runs the script and installs what it made.
func (j *job) make(ctx context.Context) (sandbox.Result, error) {
	if host := j.provider.opts.Platform; j.step.Platform != host {
		return sandbox.Result{}, fmt.Errorf("%s is to be built for %s, and this machine is %s: build it on such a machine, "+
			"or share a cache with one", j.step.Base, j.step.Platform, host)
	}
	if err := j.place.remove(j.step.Base); err != nil {
		return sandbox.Result{}, err
	}
	w, err := j.prepare(ctx)
	if err != nil {
		return sandbox.Result{}, err
	}
	took, err := j.runScript(ctx, w)
	if err != nil {
		return took, err
	}
	return took, j.settle(w)
}

// workshop is the surroundings of one build.
type workshop struct {
	root    string   // what the script knows as the root of prefixes
	rootDir string   // the directory of this machine behind it
	scratch string   // below root: the script and the source
	needed  []string // packages that the build can see, by base, the nearest first
}

// inside is a path as the script knows it, host as this machine does.
func (w *workshop) inside(p ...string) string { return path.Join(append([]string{w.root}, p...)...) }
func (w *workshop) host(p ...string) string {
	return filepath.Join(append([]string{w.rootDir}, p...)...)
}

// prepare makes the directories of a build and brings its source there. What a
// build that failed or was killed has left is removed first.
func (j *job) prepare(ctx context.Context) (*workshop, error) {
	w := &workshop{root: j.step.Root, scratch: path.Join(".build", j.step.Base)}
	var err error
	if j.place.real {
		w.root, w.rootDir = j.place.dir, j.place.dir
		err = removeAll(w.host(w.scratch))
	} else {
		w.rootDir, err = j.newAttempt()
	}
	if err != nil {
		return nil, fmt.Errorf("removing what an earlier build left: %w", err)
	}
	if w.needed, err = j.place.closure(j.step.Needs); err != nil {
		return nil, err
	}
	for _, dir := range []string{w.host(j.step.Base), w.host(w.scratch, "source")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := j.bringSource(ctx, w.host(w.scratch, "source")); err != nil {
		return nil, err
	}
	return w, os.WriteFile(w.host(w.scratch, "script"), []byte(j.step.Script), 0o755)
}

// newAttempt names a directory for this attempt to build the package, and
// removes those of earlier ones.
//
// No two attempts have the same. The supervisor of a build whose esd was killed
// may get so little of a busy machine that the next esd builds already when it
// looks for the directory that it was told. It must not find one then: it would
// start the script a second time upon the files of the first.
func (j *job) newAttempt() (string, error) {
	dir := filepath.Join(j.provider.opts.WorkDir, "build")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, e := range entries {
		if base, _, _ := strings.Cut(e.Name(), attemptMark); base != j.step.Base {
			continue
		}
		if err := removeAll(filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, j.step.Base+attemptMark+rand.Text()[:8]), nil
}

// attemptMark stands between the name of a package, which never has it, and
// what tells attempts to build it apart.
const attemptMark = "~"

// runScript runs the script in the sandbox.
func (j *job) runScript(ctx context.Context, w *workshop) (sandbox.Result, error) {
	argv := []string{"/bin/sh", "-e", w.inside(w.scratch, "script")}
	if strings.HasPrefix(j.step.Script, "#!") {
		argv = argv[2:]
	}
	fmt.Fprintf(j.run.Log, "esd: building %s at %s with %d processor(s)\nesd: sandbox %s\n", j.step.Base, w.inside(j.step.Base), j.run.CPUs, j.why)
	spec := sandbox.Spec{
		Root: w.root, RootDir: w.rootDir, Dir: w.inside(w.scratch, "source"), Argv: argv, Env: j.environment(w),
		Network: j.step.Network, Stdout: j.run.Log, LogLimit: logLimit,
	}
	if j.lock != nil {
		spec.Hold = []*os.File{j.lock} // where esd is killed, the next one waits for the script to end
	}
	if !j.place.real {
		for _, base := range w.needed {
			spec.Binds = append(spec.Binds, sandbox.Bind{Source: j.place.path(base), Target: w.inside(base), ReadOnly: true})
		}
	}
	result, err := j.box.Run(ctx, spec)
	if err == nil {
		return result, j.checkProduct(w)
	}
	return result, explain(err, result, w.host(w.scratch))
}

// explain says what to do about a script that failed.
func explain(err error, result sandbox.Result, scratch string) error {
	var exit *sandbox.ExitError
	switch {
	case result.OOM:
		return &providers.RetryError{Err: fmt.Errorf("the build ran out of memory: %w", err), OutOfMemory: true}
	case errors.As(err, &exit) && exit.Signal != 0:
		return fmt.Errorf("the script was ended by signal %d (%s); its files are in %s", int(exit.Signal), exit.Signal, scratch)
	case errors.As(err, &exit):
		return fmt.Errorf("the script failed with exit status %d; its files are in %s", exit.Code, scratch)
	}
	return err
}

// checkProduct refuses an empty product: the script has probably installed to
// somewhere else. It also refuses one that is no directory any more: a link
// would make a product of a part of this machine.
func (j *job) checkProduct(w *workshop) error {
	dir := w.host(j.step.Base)
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the script removed $prefix: it is made by esd, and the script installs into it")
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("$prefix is no directory any more: the script installs into it, and must not replace it")
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 0 {
		err = errors.New("the script installed nothing into $prefix")
	}
	return err
}

// environment is the whole environment of the script.
func (j *job) environment(w *workshop) []string {
	vars := map[string]string{
		"prefix": w.inside(j.step.Base), "source": w.inside(w.scratch, "source"), "jobs": strconv.Itoa(j.run.CPUs),
		"SOURCE_DATE_EPOCH": strconv.Itoa(sourceDateEpoch), "HOME": "/homeless", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if j.place.real {
		vars["HOME"] = w.inside(w.scratch)
	}
	if len(w.needed) > 0 {
		vars["PATH"] = w.search("bin") + ":" + vars["PATH"]
		vars["CMAKE_PREFIX_PATH"] = w.search("")
		vars["PKG_CONFIG_PATH"] = w.search("lib/pkgconfig", "share/pkgconfig")
	}
	for name, value := range j.step.Env {
		vars[name] = value
	}
	for _, n := range j.step.Needs {
		vars[n.Variable] = w.inside(n.Base)
	}
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env
}

// maxSearch bounds a search path, in bytes: the kernel refuses to start a
// program with a longer variable than 128 KiB (MAX_ARG_STRLEN).
const maxSearch = 96 << 10

// search is a search path with directories of all needed packages, the nearest
// first; those farthest away are left out where there are too many.
func (w *workshop) search(sub ...string) string {
	var path strings.Builder
	for _, base := range w.needed {
		for _, s := range sub {
			dir := w.inside(base, s)
			if path.Len()+len(dir) >= maxSearch {
				return path.String()
			}
			if path.Len() > 0 {
				path.WriteByte(':')
			}
			path.WriteString(dir)
		}
	}
	return path.String()
}

// keep packs the product and puts it into the caches that take it.
func (j *job) keep(ctx context.Context, took sandbox.Result) (artifact.Record, error) {
	if err := os.MkdirAll(j.provider.tmpDir(), 0o755); err != nil {
		return artifact.Record{}, err
	}
	file, err := os.CreateTemp(j.provider.tmpDir(), j.step.Base+"-*.tar.zst")
	if err != nil {
		return artifact.Record{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	summary, err := archive.Pack(ctx, file, archive.PackOptions{
		Root: j.place.path(j.step.Base), At: j.inArchive(), Compression: archive.Zstd,
		MTime: time.Unix(sourceDateEpoch, 0), Relocate: j.place.out(),
	})
	if err != nil {
		return artifact.Record{}, fmt.Errorf("packing the product: %w", err)
	}
	record := artifact.Record{
		FormatVersion: artifact.FormatVersion, Key: j.run.Key, Kind: Kind, Name: j.step.Name, Version: j.step.Version,
		Platform: j.step.Platform, Prefix: path.Join(j.step.Root, j.step.Base),
		Archive: artifact.DescriptorOf(summary), Files: summary.Files, Inputs: j.step.Inputs,
		Seconds: took.Duration.Seconds(), PeakMemory: took.MaxRSS,
	}
	return j.provider.put(ctx, record, file.Name(), j.step)
}

func (p *Provider) tmpDir() string { return filepath.Join(p.opts.WorkDir, "tmp") }

// put stores a product in all caches that take products. What the first of
// them has is the truth: another writer may have been faster.
func (p *Provider) put(ctx context.Context, record artifact.Record, file string, st stepSpec) (artifact.Record, error) {
	stored, first := false, record
	for _, settings := range st.Caches {
		if !settings.Push {
			continue
		}
		c, err := p.opts.Caches.Open(ctx, settings)
		if err != nil {
			return record, err
		}
		if st.Replace {
			if err := c.Delete(ctx, record.Key); err != nil {
				return record, fromCache(settings, err)
			}
		}
		kept, err := c.Put(ctx, record, cache.FileOpener(file))
		if err != nil {
			return record, fromCache(settings, err)
		}
		if !stored {
			stored, first = true, kept
		}
	}
	if !stored {
		return record, errNoCache
	}
	return first, nil
}

// settle moves the product from where it was built to where builds find it,
// and removes the rest.
func (j *job) settle(w *workshop) error {
	if !j.place.real {
		// Moving a directory changes it, so that its owner must be able to write.
		if err := os.Chmod(w.host(j.step.Base), 0o755); err != nil {
			return err
		}
		if err := os.Rename(w.host(j.step.Base), j.place.path(j.step.Base)); err != nil {
			return err
		}
		_ = removeAll(w.rootDir) // leftovers do no harm: the next build of this key removes them
	} else {
		_ = removeAll(w.host(w.scratch))
	}
	return j.place.complete(j.step.Base, installed{j.run.Key, j.step.Needs})
}
