package sandbox

import (
	"cmp"
	"errors"
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
	// A crash of a build is in its log; a core file would only end up in a product.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	return dropPrivileges()
}

// startCommand starts the command in a process group of its own. The environment is exactly cfg.Env.
func startCommand(cfg *stageConfig) (int, error) {
	if info, err := os.Stat(cfg.Dir); cfg.Chroot == "" && (err != nil || !info.IsDir()) {
		return 0, &SetupError{"enter the working directory " + cfg.Dir, cmp.Or[error](err, syscall.ENOTDIR)}
	}
	paths := programPaths(cfg)
	limits, err := lowerLimits(cfg)
	if err != nil {
		return 0, &SetupError{"limit the resources", err}
	}
	pid, err := startFirst(cfg, paths)
	if limitErr := fixLimits(limits, pid); limitErr != nil && err == nil {
		killAll()
		return 0, &SetupError{"limit the resources", limitErr}
	}
	if err != nil {
		return 0, &SetupError{startStep(cfg, paths, err), err}
	}
	return pid, nil
}

// startFirst starts the first of the programs that is there.
func startFirst(cfg *stageConfig, paths []string) (int, error) {
	attr := commandAttr(cfg)
	err := error(syscall.ENOENT)
	for _, path := range paths {
		if cfg.Chroot == "" && len(paths) > 1 && !executable(path) {
			continue
		}
		var pid int
		if pid, err = syscall.ForkExec(path, cfg.Argv, attr); err == nil {
			return pid, nil
		}
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENOTDIR) {
			break
		}
	}
	return 0, err
}

func commandAttr(cfg *stageConfig) *syscall.ProcAttr {
	sys := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Chroot: cfg.Chroot}
	if cfg.SetUser {
		sys.Credential = &syscall.Credential{Uid: uint32(cfg.UID), Gid: uint32(cfg.GID)}
	}
	if cfg.MapUser {
		sys.Cloneflags = syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: cfg.UID, HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: cfg.GID, HostID: os.Getegid(), Size: 1}}
	}
	return &syscall.ProcAttr{Dir: cfg.Dir, Env: cfg.Env, Files: []uintptr{0, 1, 2}, Sys: sys}
}

// startStep words a failed start so that its usual causes can be told apart: the kernel says "no such file" of a
// missing program as well as of a program whose loader or interpreter is missing.
func startStep(cfg *stageConfig, paths []string, err error) string {
	step := "start " + cfg.Argv[0]
	if cfg.Chroot != "" || !errors.Is(err, syscall.ENOENT) {
		return step
	}
	for _, path := range paths {
		if executable(path) {
			return step + " (" + path + " is there; its interpreter or loader may be missing)"
		}
	}
	if !strings.Contains(cfg.Argv[0], "/") {
		step += " (searched in PATH=" + envValue(cfg.Env, "PATH") + ")"
	}
	return step
}

// programPaths lists where a program may be, as the command itself would search: in the PATH it gets, inside its
// own tree.
func programPaths(cfg *stageConfig) []string {
	name := cfg.Argv[0]
	if strings.Contains(name, "/") {
		return []string{name}
	}
	var paths []string
	for _, dir := range filepath.SplitList(envValue(cfg.Env, "PATH")) {
		if filepath.IsAbs(dir) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// executable says whether path is a program that may be started.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// limit is a resource limit of the command.
type limit struct {
	resource int
	value    uint64
	before   unix.Rlimit // of the supervisor
}

// lowerLimits lowers the soft limits of this process for as long as it takes to start the command, which inherits
// them. Lowered for good they would also hold for the supervisor, and end it when the command uses them up.
func lowerLimits(cfg *stageConfig) ([]limit, error) {
	var all []limit
	for resource, value := range map[int]int64{unix.RLIMIT_DATA: cfg.Memory, unix.RLIMIT_FSIZE: cfg.MaxFile} {
		if value <= 0 {
			continue
		}
		l := limit{resource: resource}
		if err := unix.Getrlimit(resource, &l.before); err != nil {
			return all, err
		}
		l.value = min(uint64(value), l.before.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: l.value, Max: l.before.Max}); err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

// fixLimits gives the supervisor its limits back and keeps the command from raising its own.
func fixLimits(limits []limit, pid int) error {
	var errs []error
	for _, l := range limits {
		errs = append(errs, unix.Setrlimit(l.resource, &l.before))
		if pid > 0 {
			err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}, nil)
			if !errors.Is(err, unix.ESRCH) { // over already
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
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
