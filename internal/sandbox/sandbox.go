package sandbox

import (
	"context"
	"fmt"
	"strings"
)

// The names of the sandboxes, as a configuration writes them.
const (
	// Namespace is the sandbox with private namespaces.
	Namespace = "namespace"
	// None is the sandbox that isolates nothing and builds at a real directory.
	None = "none"
)

// Sandbox is one way of running builds on this machine. Get it from [Choose].
type Sandbox struct {
	kind   string
	report Report
}

// Name is [Namespace] or [None].
func (s Sandbox) Name() string { return s.kind }

// IsolatesNetwork says whether a command without Spec.Network really has no network.
func (s Sandbox) IsolatesNetwork() bool { return s.kind == Namespace && s.report.NetNS.Works }

// Choose picks the sandbox: the best that report allows if want is empty, otherwise the one that is named. It
// also says in a sentence what it chose and why. Wanting what the machine does not allow is an error that wraps
// [ErrUnavailable].
func Choose(report Report, want string) (Sandbox, string, error) {
	works, reason := report.namespaces()
	switch want {
	case "":
		if works {
			return Sandbox{Namespace, report}, "namespace: " + report.strengths(), nil
		}
		return Sandbox{None, report}, "none: " + reason + "; builds happen at a real directory and are relocated, " +
			"the file system and the network are not isolated", nil
	case Namespace:
		if !works {
			return Sandbox{}, "", fmt.Errorf("sandbox %q is %w: %s", want, ErrUnavailable, reason)
		}
		return Sandbox{Namespace, report}, "namespace, as configured: " + report.strengths(), nil
	case None:
		return Sandbox{None, report}, "none, as configured; builds happen at a real directory and are relocated, " +
			"the file system and the network are not isolated", nil
	}
	return Sandbox{}, "", fmt.Errorf("there is no sandbox %q; write %q, %q, or nothing for the best one", want, Namespace, None)
}

// strengths says in words what a namespace sandbox on this machine isolates and what not.
func (r Report) strengths() string {
	have := []string{"private user and mount namespace"}
	if r.MountNS.Works && r.UserNS.Works {
		have = []string{"private mount namespace made as root, private user namespace"}
	} else if r.MountNS.Works {
		have = []string{"private mount namespace made as root, no user namespace (" + r.UserNS.Reason + ")"}
	}
	if r.PIDNS.Works {
		have = append(have, "own process tree")
	} else {
		have = append(have, "no own process tree ("+r.PIDNS.Reason+")")
	}
	if r.NetNS.Works {
		have = append(have, "network cut off unless a build asks for it")
	} else {
		have = append(have, "network is not isolated ("+r.NetNS.Reason+")")
	}
	return strings.Join(have, ", ")
}

// Run runs the command of spec and waits for it and for all that it started.
//
// The result is filled in as far as it is known, also beside an error. A command that fails gives an
// [*ExitError]; errors.Is tells [ErrTimeout], [ErrCanceled] (with the cause of the context), [ErrDiskLimit],
// [ErrLost] and [ErrUnavailable] apart; a sandbox that could not be made gives a [*SetupError].
func (s Sandbox) Run(ctx context.Context, spec Spec) (Result, error) {
	if err := spec.validate(); err != nil {
		return Result{ExitCode: -1}, err
	}
	if s.kind == None {
		if err := spec.validateReal(); err != nil {
			return Result{ExitCode: -1}, err
		}
	}
	return s.run(ctx, spec)
}

// validateReal finds what cannot be had where nothing can be mounted.
func (s Spec) validateReal() error {
	if s.Root != s.RootDir {
		return fmt.Errorf("sandbox %q cannot show %s as %s; ask Sandbox.Root for the directory: %w", None, s.RootDir, s.Root, ErrUnavailable)
	}
	for _, b := range s.Binds {
		if b.Source != b.Target {
			return fmt.Errorf("sandbox %q cannot show %s as %s: %w", None, b.Source, b.Target, ErrUnavailable)
		}
	}
	return nil
}
