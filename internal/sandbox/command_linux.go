package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// prepare brings the supervisor into the state that the command inherits.
func prepare(cfg *stageConfig) error {
	if cfg.OwnUTS {
		// The name of the machine has no business in a product.
		if err := unix.Sethostname([]byte("localhost")); err != nil {
			return &SetupError{"set the host name", err}
		}
	}
	if cfg.OwnNet {
		if err := raiseLoopback(); err != nil {
			return &SetupError{"bring the loopback device up", err}
		}
	}
	if cfg.Tree != nil {
		if err := enterTree(cfg.Tree); err != nil {
			return err
		}
	}
	if err := setLimits(cfg); err != nil {
		return err
	}
	return dropPrivileges()
}

// startCommand starts the command in a session of its own. The environment is exactly cfg.Env.
func startCommand(cfg *stageConfig) (int, error) {
	path, err := lookProgram(cfg)
	if err != nil {
		return 0, &SetupError{"find the command", err}
	}
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Chroot: cfg.Chroot}
	if cfg.SetUser {
		sys.Credential = &syscall.Credential{Uid: uint32(cfg.UID), Gid: uint32(cfg.GID)}
	}
	attr := &syscall.ProcAttr{Dir: cfg.Dir, Env: cfg.Env, Files: []uintptr{0, 1, 2}, Sys: sys}
	if cfg.MapUser {
		sys.Cloneflags = syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: cfg.UID, HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: cfg.GID, HostID: os.Getegid(), Size: 1}}
	}
	pid, err := syscall.ForkExec(path, cfg.Argv, attr)
	if err != nil {
		// Which of the steps failed the kernel does not tell; the two that users cause are easy to tell apart.
		if info, statErr := os.Stat(filepath.Join(cfg.Chroot, cfg.Dir)); cfg.Chroot == "" && (statErr != nil || !info.IsDir()) {
			return 0, &SetupError{"enter the working directory " + cfg.Dir, err}
		}
		return 0, &SetupError{"start " + path, err}
	}
	return pid, nil
}

// lookProgram finds a program the way the command itself would: in the PATH it gets, inside its own tree.
func lookProgram(cfg *stageConfig) (string, error) {
	name := cfg.Argv[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	list := envValue(cfg.Env, "PATH")
	if list == "" {
		list = "/usr/local/bin:/usr/bin:/bin"
	}
	for _, dir := range filepath.SplitList(list) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(cfg.Chroot + path)
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w in PATH %s", name, os.ErrNotExist, list)
}

// setLimits sets resource limits of this process, which its children inherit.
func setLimits(cfg *stageConfig) error {
	limits := []struct {
		step     string
		resource int
		value    int64
	}{
		{"limit the memory", unix.RLIMIT_DATA, cfg.Memory},
		{"limit the size of files", unix.RLIMIT_FSIZE, cfg.MaxFile},
	}
	for _, l := range limits {
		if l.value <= 0 {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return &SetupError{l.step, err}
		}
		value := min(uint64(l.value), now.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return &SetupError{l.step, err}
		}
	}
	// A crash of a build is in its log; a core file would only end up in a product.
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	return nil
}

// keptCapabilities are what user 0 needs to unpack an archive: tar run by user 0 insists on giving files to
// their owners. They matter only where users cannot be mapped; any other user loses all capabilities by exec.
const keptCapabilities = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID

// dropPrivileges bounds what any later exec can gain. It leaves the capabilities of this process itself alone:
// it still has to write the user map of the command.
func dropPrivileges() error {
	for c := uintptr(0); c <= 63; c++ {
		if keptCapabilities&(1<<c) != 0 {
			continue
		}
		// Not permitted means that there is nothing to lose; invalid, that the kernel knows no more of them.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			break
		}
	}
	unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return &SetupError{"give up gaining privileges", err}
	}
	return nil
}

// raiseLoopback makes 127.0.0.1 work in a new network namespace; test suites of packages use it.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return err
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
