package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probeTime bounds the answer of one probing process.
const probeTime = 10 * time.Second

func probe(ctx context.Context) Report {
	r := Report{
		Kernel: kernelRelease(),
		UserNS: Level{Name: "userns"}, MountNS: Level{Name: "mountns"}, PIDNS: Level{Name: "pidns"},
		NetNS: Level{Name: "netns"}, Chroot: Level{Name: "chroot"},
	}
	if os.Geteuid() == 0 {
		r.Chroot = chrootLevel()
		r.probeAsRoot(ctx)
	} else {
		r.Chroot.Reason = "only root can"
		r.MountNS.Reason = "only root can without a user namespace"
	}
	if !r.MountNS.Works {
		r.probeUser(ctx)
	}
	return r
}

// probeAsRoot tries a mount namespace with the rights of root, and from inside it a user namespace.
func (r *Report) probeAsRoot(ctx context.Context) {
	got, flags, err := tryFlags(ctx, syscall.CLONE_NEWNS)
	if err == nil && got.Mount != "" {
		err = errors.New(got.Mount)
	}
	if err != nil {
		r.MountNS.Reason = "root may not mount here: " + err.Error()
		return
	}
	r.MountNS.Works = true
	r.fill(got, flags)
	r.UserNS.Works = got.Nested == ""
	if !r.UserNS.Works {
		r.UserNS.Reason = userRefusal(got.Nested, 0)
	}
}

// probeUser tries a user namespace with a mount namespace inside.
func (r *Report) probeUser(ctx context.Context) {
	got, flags, err := tryFlags(ctx, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNS)
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		r.UserNS.Reason = userRefusal(err.Error(), errno)
	} else if got.Mount != "" {
		r.UserNS.Reason = userRefusal(got.Mount, got.MountErrno)
	} else {
		r.UserNS.Works = true
		r.fill(got, flags)
		return
	}
	r.PIDNS.Reason, r.NetNS.Reason = "needs a user namespace", "needs a user namespace"
}

// fill takes over what came out for the namespaces beside the mount namespace.
func (r *Report) fill(got *probeReport, flags uintptr) {
	r.extra = flags&syscall.CLONE_NEWUTS != 0
	r.proc = got.Proc == ""
	r.PIDNS.Works = flags&syscall.CLONE_NEWPID != 0
	if !r.PIDNS.Works {
		r.PIDNS.Reason = limitReason("pid", "the kernel refuses a process namespace")
	} else if !r.proc {
		r.PIDNS.Version = "without an own /proc: " + got.Proc
	}
	r.NetNS.Works = flags&syscall.CLONE_NEWNET != 0 && got.Net == ""
	if flags&syscall.CLONE_NEWNET == 0 {
		r.NetNS.Reason = limitReason("net", "the kernel refuses a network namespace")
	} else if got.Net != "" {
		r.NetNS.Reason = "the loopback device stays down: " + got.Net
	}
}

// tryFlags starts a probing process with all namespaces, and with fewer as long as that is refused.
func tryFlags(ctx context.Context, base uintptr) (*probeReport, uintptr, error) {
	const names = syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	sets := []uintptr{
		names | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, names | syscall.CLONE_NEWPID,
		names | syscall.CLONE_NEWNET, syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, 0,
	}
	var first error
	for _, set := range sets {
		got, err := tryStage(ctx, base|set)
		if err == nil {
			return got, base | set, nil
		}
		if first == nil {
			first = err
		}
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			break
		}
	}
	return nil, 0, first
}

// tryStage starts one probing process and asks it.
func tryStage(ctx context.Context, flags uintptr) (*probeReport, error) {
	cmd, control, err := newStage(flags)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	err = cmd.Start()
	closeTheirs(cmd)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = control.SetDeadline(time.Now()) })
	defer stop()
	_ = control.SetDeadline(time.Now().Add(probeTime))
	var answer stageReport
	err = json.NewEncoder(control).Encode(request{Probe: true})
	if err == nil {
		err = json.NewDecoder(control).Decode(&answer)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil || answer.Probe == nil {
		return nil, fmt.Errorf("the probing process gave no answer: %w", errors.Join(err, context.Cause(ctx)))
	}
	return answer.Probe, nil
}

// tryNamespaces runs in the probing process: what of that which a sandbox needs does the kernel let it do?
func tryNamespaces() *probeReport {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	r := &probeReport{}
	err := tryMounts()
	r.Mount = text(err)
	errors.As(err, &r.MountErrno)
	if r.Mount == "" && os.Getpid() == 1 {
		r.Proc = text(unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	}
	r.Net = text(raiseLoopback())
	// The program does not exist. That answer, and no other, means that the namespace was made.
	_, err = syscall.ForkExec("/proc/self/no-such-program", []string{"none"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: os.Getegid(), Size: 1}},
		},
	})
	if !errors.Is(err, syscall.ENOENT) {
		r.Nested = text(err)
	}
	return r
}

func tryMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	at, err := mountPoint()
	if err != nil {
		return err
	}
	if err := mountTmpfs(at, 0o755, 0); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	if err := os.Mkdir(at+"/usr", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/usr", at+"/usr", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind a directory: %w", err)
	}
	t := &tree{at: at}
	if err := t.readOnly(at, true); err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	return nil
}

// userRefusal finds the setting that is behind the refusal of a user namespace.
func userRefusal(text string, errno syscall.Errno) string {
	sysctl := func(path string) string {
		data, _ := os.ReadFile("/proc/sys/" + path)
		return strings.TrimSpace(string(data))
	}
	switch {
	case sysctl("user/max_user_namespaces") == "0":
		return "user.max_user_namespaces is 0"
	case sysctl("kernel/unprivileged_userns_clone") == "0" && os.Geteuid() != 0:
		return "kernel.unprivileged_userns_clone = 0"
	case sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1" && os.Geteuid() != 0:
		return "AppArmor restricts them, kernel.apparmor_restrict_unprivileged_userns = 1; an AppArmor profile for esd or the value 0 allows them"
	case errno == syscall.ENOSPC:
		return "the limit user.max_user_namespaces = " + sysctl("user/max_user_namespaces") + " is reached"
	case errno == syscall.EPERM && underSeccomp():
		return "seccomp refuses them, as container runtimes do by default"
	case errno == syscall.EINVAL || errno == syscall.ENOSYS:
		return "this kernel has none: " + text
	}
	return text
}

// limitReason says whether a limit of zero is behind a refusal.
func limitReason(kind, otherwise string) string {
	name := "max_" + kind + "_namespaces"
	if data, err := os.ReadFile("/proc/sys/user/" + name); err == nil && strings.TrimSpace(string(data)) == "0" {
		return "user." + name + " is 0"
	}
	return otherwise
}

func underSeccomp() bool {
	data, _ := os.ReadFile("/proc/self/status")
	return strings.Contains(string(data), "\nSeccomp:\t2")
}

// chrootLevel says whether root has kept the right to call chroot(2), which containers may take away.
func chrootLevel() Level {
	l := Level{Name: "chroot"}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		l.Reason = "capget: " + err.Error()
		return l
	}
	l.Works = data[0].Effective&(1<<unix.CAP_SYS_CHROOT) != 0
	if !l.Works {
		l.Reason = "root has no CAP_SYS_CHROOT here"
	}
	return l
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "Linux"
	}
	return "Linux " + unix.ByteSliceToString(u.Release[:])
}
