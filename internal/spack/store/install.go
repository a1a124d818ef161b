package store

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"time"

	"esd/internal/archive"
	"esd/internal/spack"
	"esd/internal/spack/binary"
)

// Package is what is to be installed.
type Package struct {
	Spec *spack.Spec
	// Explicit tells that somebody asked for it, not only what depends on it.
	Explicit bool
}

// InstallOptions say how packages are installed.
type InstallOptions struct {
	// Specs has everything that the packages depend on, build dependencies
	// included: what is recorded has to say what it was built with.
	Specs spack.Specs
	// Jobs is how many packages are unpacked at the same time; 0 is one for
	// each processor.
	Jobs int
	// Fetch opens the archive of a package. What it reads must be verified by
	// its end, at which an error still comes in time.
	Fetch func(context.Context, *spack.Spec) (io.ReadCloser, error)
	// Unpack is nil for [binary.Install].
	Unpack func(context.Context, io.Reader, binary.Request) (binary.Installed, error)
	Limits archive.Limits // of one archive; zero: those of [binary.Install]
	// NoSync leaves it to the operating system when files get to the disk. A
	// kill does no harm then, but a loss of power can: the database may list
	// packages whose files are empty.
	NoSync bool
	// Progress is told what happens, from one goroutine at a time.
	Progress func(Event)
}

// EventKind is what happened to a package.
type EventKind int

// The kinds of events.
const (
	Started   EventKind = iota // its archive is fetched
	Installed                  // it is there and recorded
	Reused                     // it was there already
	External                   // the system provides it; it is recorded
	Failed
	Skipped // something that it needs failed
)

// Event is one thing that happened.
type Event struct {
	Kind EventKind
	Spec *spack.Spec
	Took time.Duration // to fetch and unpack it
	Err  error
}

// Result lists what became of the packages that did not fail, sorted by name.
type Result struct{ Installed, Reused, External []*spack.Spec }

// Install puts packages into the tree from their archives, many at once, and
// records them. What is there already is reused. A package is recorded when it
// is complete and all that it needs to run is recorded, so the tree is sound
// at any time; what was not recorded when the process ended is done again.
//
// The failure of one package does not keep others from being installed that do
// not need it. The error is an [*InstallError] then.
func (s *Store) Install(ctx context.Context, packages []Package, opts InstallOptions) (Result, error) {
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.GOMAXPROCS(0)
	}
	if opts.Unpack == nil {
		opts.Unpack = binary.Install
	}
	records, err := s.Records(ctx)
	if err != nil {
		return Result{}, err
	}
	in := newInstaller(s, records, packages, opts)
	if in.nothingToDo() {
		return in.result()
	}
	if err := s.makeTree(); err != nil {
		return Result{}, err
	}
	if err := s.installSbang(); err != nil {
		return Result{}, err
	}
	if !opts.NoSync {
		if in.syncer, err = newSyncer(s.root); err != nil {
			return Result{}, err
		}
		defer in.syncer.close()
	}
	defer in.unlock()
	return in.run(ctx)
}

// result sorts out what became of the packages.
func (in *installer) result() (Result, error) {
	var result Result
	var failures []Failure
	for _, t := range in.order {
		switch t.state {
		case taskInstalled:
			result.Installed = append(result.Installed, t.spec)
		case taskReused:
			result.Reused = append(result.Reused, t.spec)
		case taskExternal:
			result.External = append(result.External, t.spec)
		default:
			failures = append(failures, Failure{Spec: t.spec, Err: t.err, Because: t.because})
		}
	}
	for _, list := range [][]*spack.Spec{result.Installed, result.Reused, result.External} {
		slices.SortFunc(list, compareSpecs)
	}
	if len(failures) == 0 {
		return result, nil
	}
	slices.SortFunc(failures, func(a, b Failure) int { return compareSpecs(a.Spec, b.Spec) })
	return result, &InstallError{Failures: failures}
}

// errCycle is what hostile specs get; hashes of real ones cannot have cycles.
var errCycle = errors.New("it depends on itself")
