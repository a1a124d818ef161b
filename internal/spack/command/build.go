package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"esd/internal/spack"
)

// BuildRequest asks for one package to be built.
type BuildRequest struct {
	// Lock is the spack.lock that has the package, Hash which one it is.
	Lock []byte
	Hash spack.Hash
	// Jobs is what the build may run side by side; zero leaves it to Spack.
	Jobs int
	// Keep is the directory for logs, and for what is left of a failed build; empty
	// keeps nothing. It belongs to this build alone.
	Keep string
	// KeepStage moves the stage of a failed build to Keep, if both are on one file
	// system.
	KeepStage bool
	// Timeout ends the build after this time, Silence when nothing was printed for
	// this time. Zero is never.
	Timeout, Silence time.Duration
	// Grace is the time between SIGTERM and SIGKILL when the build has to end.
	Grace time.Duration
	// Output gets what Spack and the build print, as it comes; may be nil.
	Output io.Writer
	// Events is called for what happens; may be nil. Calls do not overlap.
	Events func(Event)
}

// BuildResult is what became of a successful build.
type BuildResult struct {
	Prefix string
	// Present: the package was installed already, and nothing was built.
	Present bool
	Exit    Exit
	// Times are the seconds of each phase, as Spack measured them.
	Times map[string]time.Duration
	// Log and BuildLog are files in Keep: all that was printed, and what the build
	// printed; "" where there is none.
	Log, BuildLog string
}

// buildManifest is the spack.yaml for building from a lock: no view, which
// Spack would make anew after each package.
const buildManifest = `{"spack":{"specs":[],"view":false}}`

// Build builds one concrete package, whose dependencies are installed in the
// store, and installs it there. Several may run at once for one store, in this
// process and in others; of two that build the same package, one waits and
// finds it done. Spack marks what it installs this way as asked for
// explicitly.
//
// An error is a [*RunError] if Spack ran.
func (i *Instance) Build(ctx context.Context, r BuildRequest) (BuildResult, error) {
	b, err := i.prepare(ctx, r)
	if err != nil {
		return BuildResult{}, err
	}
	defer b.close()
	return b.run(ctx)
}

// build is one build under way.
type build struct {
	*Instance
	req    BuildRequest
	doing  string
	env    string
	remove func()
	out    io.Writer
	follow *follower
	closer func() error
	result BuildResult
	built  bool // a phase was executed
}

func (i *Instance) prepare(ctx context.Context, r BuildRequest) (*build, error) {
	lock, err := readLock(r.Lock)
	if err != nil {
		return nil, err
	}
	part, nodes, err := lock.part(r.Hash)
	if err != nil {
		return nil, err
	}
	n := nodes[string(r.Hash)]
	b := &build{Instance: i, req: r, doing: fmt.Sprintf("building %s-%s (/%s)", n.Name, n.Version, r.Hash.Short())}
	if err := i.clearFailures(nodes); err != nil {
		return nil, fmt.Errorf("%s: clearing marks of earlier failures: %w", b.doing, err)
	}
	if b.env, b.remove, err = i.environment(ctx, []byte(buildManifest), part); err != nil {
		return nil, fmt.Errorf("%s: %w", b.doing, err)
	}
	b.follow = &follower{each: b.line}
	more := []io.Writer{b.follow}
	if r.Output != nil {
		more = append(more, r.Output)
	}
	if b.out, b.result.Log, b.closer, err = logWriter(r.Keep, more...); err != nil {
		b.remove()
		return nil, fmt.Errorf("%s: %w", b.doing, err)
	}
	return b, nil
}

func (b *build) close() {
	b.remove()
	_ = b.closer() // a log that is not whole is no reason to call a build failed
}

// line looks at a line of output.
func (b *build) line(text string) {
	e, ok := parseLine(text)
	if !ok {
		return
	}
	switch e.Kind {
	case Phase:
		b.built = true
	case Times:
		b.result.Times = e.Times
	}
	if b.req.Events != nil {
		b.req.Events(e)
	}
}

func (b *build) arguments() []string {
	args := []string{"-c", "config:install_status:false", "install", "--verbose", "--only-concrete", "--only=package", "--no-add", "--use-buildcache=never"}
	if b.req.Jobs > 0 {
		args = append(args, "--jobs="+strconv.Itoa(b.req.Jobs))
	}
	return append(args, "/"+string(b.req.Hash))
}

func (b *build) run(ctx context.Context) (BuildResult, error) {
	watched, out, stop := watch(ctx, b.req.Timeout, b.req.Silence, b.out)
	defer stop()
	c := b.command(b.env, b.arguments()...)
	c.Output, c.Grace = out, b.req.Grace
	exit, err := b.settings.Run(watched, c)
	b.result.Exit = exit
	if why := cause(watched, exit, err, string(b.follow.tail.kept)); why != nil {
		return b.result, b.failed(why)
	}
	prefix, err := b.installedPrefix(b.req.Hash)
	if err != nil {
		return b.result, fmt.Errorf("%s: %w", b.doing, err)
	}
	if prefix == "" {
		return b.result, b.failed(ErrNotInstalled)
	}
	b.result.Prefix, b.result.Present = prefix, !b.built
	if b.result.BuildLog, err = keepDone(prefix, b.req.Keep); err != nil {
		return b.result, fmt.Errorf("%s: keeping the log: %w", b.doing, err)
	}
	return b.result, nil
}

// failed collects what is known of a failure.
func (b *build) failed(why error) error {
	e := &RunError{Doing: b.doing, Cause: why, Exit: b.result.Exit, Log: b.result.Log, Said: essence(string(b.follow.tail.kept))}
	var err error
	e.BuildLog, e.Stage, err = keepFailed(b.stageOf(b.req.Hash), b.req.Keep, b.req.KeepStage)
	if err != nil {
		e.Said += "\n(not all of the failed build could be kept: " + err.Error() + ")"
	}
	return e
}
