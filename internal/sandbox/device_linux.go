package sandbox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// devices are files of the machine's /dev and /proc, opened before the tree covers them; -1 for what is missing.
type devices struct {
	proc  int
	nodes []int // in the order of deviceNames
}

// deviceNames is all that a build finds in /dev, besides pts, ptmx, shm and the links for file descriptors.
func deviceNames() []string { return []string{"null", "zero", "full", "random", "urandom", "tty"} }

func openDevices() devices {
	open := func(path string) int {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1
		}
		return fd
	}
	d := devices{proc: open("/proc")}
	for _, name := range deviceNames() {
		d.nodes = append(d.nodes, open("/dev/"+name))
	}
	return d
}

// addProc mounts a /proc of this process namespace, or shows the machine's where the kernel refuses (inside
// containers that cover parts of /proc). What configures the kernel is read-only in both: user 0 could write it
// even without capabilities.
func (t *tree) addProc(d devices) error {
	target := t.at + "/proc"
	if os.Getpid() == 1 {
		err := unix.Mount("proc", target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		if err == nil {
			return t.guardProc(target)
		}
	}
	if d.proc < 0 {
		return nil
	}
	if err := unix.Mount(fdPath(d.proc), target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &SetupError{"show /proc", err}
	}
	// Not read-only as a whole: the user map of the command is written through it.
	return t.guardProc(target)
}

func (t *tree) guardProc(proc string) error {
	for _, name := range []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"} {
		path := proc + "/" + name
		err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, "")
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = t.readOnly(path, true)
		}
		if err != nil {
			return &SetupError{"make /proc/" + name + " read-only", err}
		}
	}
	return nil
}

// addDev makes a minimal /dev.
func (t *tree) addDev(d devices) error {
	dev := t.at + "/dev"
	if err := mountTmpfs(dev, 0o755, 64<<10); err != nil {
		return &SetupError{"mount a private /dev", err}
	}
	for i, name := range deviceNames() {
		if d.nodes[i] < 0 {
			continue
		}
		if err := os.WriteFile(dev+"/"+name, nil, 0o644); err != nil {
			return &SetupError{"make /dev/" + name, err}
		}
		if err := unix.Mount(fdPath(d.nodes[i]), dev+"/"+name, "", unix.MS_BIND, ""); err != nil {
			return &SetupError{"show /dev/" + name, err}
		}
	}
	links := [][2]string{{"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"}, {"fd/2", "stderr"}, {"pts/ptmx", "ptmx"}}
	for _, l := range links {
		if err := os.Symlink(l[0], dev+"/"+l[1]); err != nil {
			return &SetupError{"make /dev/" + l[1], err}
		}
	}
	return t.addDevMounts(dev)
}

func (t *tree) addDevMounts(dev string) error {
	for _, name := range []string{"/pts", "/shm"} {
		if err := os.Mkdir(dev+name, 0o755); err != nil {
			return &SetupError{"make /dev" + name, err}
		}
	}
	// Only programs that drive terminals (expect, some test suites) miss it.
	_ = unix.Mount("devpts", dev+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
	if err := mountTmpfs(dev+"/shm", 0o1777, 0); err != nil {
		return &SetupError{"mount a private /dev/shm", err}
	}
	if err := remountDev(dev); err != nil {
		return &SetupError{"make /dev read-only", err}
	}
	return nil
}

// remountDev makes the directory /dev read-only, not the mounts in it.
func remountDev(dev string) error {
	return unix.Mount("", dev, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// enter makes the tree the root of this process and forgets the machine's.
func (t *tree) enter(move bool) error {
	if err := unix.Chdir(t.at); err != nil {
		return &SetupError{"enter the new root", err}
	}
	if !move {
		err := unix.PivotRoot(".", ".")
		if err == nil {
			// Both roots are stacked on one place; the upper one is the old.
			if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
				return &SetupError{"leave the old root", err}
			}
			return chdirRoot()
		}
		if !errors.Is(err, unix.EINVAL) {
			return &SetupError{"change the root", err}
		}
		// A machine that runs from its initial ramdisk, as diskless nodes do, cannot pivot.
	}
	if err := unix.Mount(t.at, "/", "", unix.MS_MOVE, ""); err != nil {
		return &SetupError{"move the new root", err}
	}
	if err := unix.Chroot("."); err != nil {
		return &SetupError{"enter the new root", err}
	}
	return chdirRoot()
}

func chdirRoot() error {
	if err := unix.Chdir("/"); err != nil {
		return &SetupError{"enter the new root", err}
	}
	return nil
}
