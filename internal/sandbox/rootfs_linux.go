package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

func (s RootSpec) run(ctx context.Context, uid, gid int) (Result, error) {
	report := Probe(ctx)
	j := job{
		spec:   Spec{Timeout: s.Timeout, Grace: s.Grace, Stdout: s.Stdout, LogLimit: s.LogLimit},
		config: &stageConfig{Argv: s.Argv, Env: s.Env, Dir: s.Dir, UID: uid, GID: gid},
	}
	works, reason := report.namespaces()
	switch {
	case works:
		report.isolate(&j, s.Network)
		j.config.SetUser = !j.config.MapUser
		j.config.Tree = s.tree()
	case report.Chroot.Works:
		j.config.Chroot, j.config.SetUser = s.Rootfs, true
	default:
		return Result{ExitCode: -1}, fmt.Errorf("running a command of an image is %w: %s, and chroot does not work (%s); "+
			"allow user namespaces, or run as root or with a container runtime", ErrUnavailable, reason, report.Chroot.Reason)
	}
	return j.run(ctx)
}

// tree shows the image with the file systems that programs expect everywhere.
func (s RootSpec) tree() *treeConfig {
	t := &treeConfig{
		Base: s.Rootfs, Writable: !s.ReadOnly, Skip: []string{"proc", "dev", "sys", "tmp", "run"},
		Binds:   []Bind{{Source: "/sys", Target: "/sys", ReadOnly: true}},
		Private: []privateDir{{"/tmp", 0o1777, 0}, {"/run", 0o755, 0}},
	}
	const resolver = "/etc/resolv.conf"
	if s.Network && plainFile(s.Rootfs, "etc", "resolv.conf") {
		if real, err := filepath.EvalSymlinks(resolver); err == nil {
			t.Binds = append(t.Binds, Bind{Source: real, Target: resolver, ReadOnly: true})
		}
	}
	return t
}

// plainFile says whether the parts below root lead to a regular file without any symbolic link.
func plainFile(root string, parts ...string) bool {
	path := root
	for i, p := range parts {
		path = filepath.Join(path, p)
		info, err := os.Lstat(path)
		if err != nil {
			return false
		}
		if last := i == len(parts)-1; (last && !info.Mode().IsRegular()) || (!last && !info.IsDir()) {
			return false
		}
	}
	return true
}
