package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// RootSpec says what to run in the unpacked root file system of an image.
type RootSpec struct {
	// Rootfs is the directory that the command sees as /. Whatever it has at /proc, /dev, /sys, /tmp and /run
	// is covered by private ones.
	Rootfs string
	// ReadOnly keeps the command from changing Rootfs. Otherwise it may, but for entries of / itself, which
	// are gone afterwards.
	ReadOnly bool
	// Argv is the program and its arguments. A program without a slash is searched in the PATH of Env.
	Argv []string
	// Env is the whole environment, NAME=VALUE.
	Env []string
	// Dir is the working directory inside; empty means /.
	Dir string
	// User is a user as an image names one: USER, UID, USER:GROUP or UID:GID; empty means 0:0. Files stay
	// those of the caller whatever it is.
	User string
	// Network leaves the command the network of the machine.
	Network bool
	// Timeout ends the command after this time; 0 means never.
	Timeout time.Duration
	// Grace, Stdout and LogLimit are as in [Spec].
	Grace    time.Duration
	Stdout   io.Writer
	LogLimit int64
}

// RunInRoot runs a command in a root file system, without a container runtime: in private namespaces or, as root
// where there are none, by chroot, then without /proc, /dev and /sys and with the network of the machine.
// Elsewhere the error wraps [ErrUnavailable]. Results and errors are otherwise those of [Sandbox.Run].
func RunInRoot(ctx context.Context, spec RootSpec) (Result, error) {
	if err := spec.validate(); err != nil {
		return Result{ExitCode: -1}, err
	}
	uid, gid, err := lookupUser(spec.Rootfs, spec.User)
	if err != nil {
		return Result{ExitCode: -1}, fmt.Errorf("sandbox: user %q of the image: %w", spec.User, err)
	}
	return spec.run(ctx, uid, gid)
}

func (s *RootSpec) validate() error {
	if s.Dir == "" {
		s.Dir = "/"
	}
	errs := []error{cleanPath("root file system", s.Rootfs), cleanPath("working directory", s.Dir), validEnv(s.Env)}
	if s.Rootfs == "/" {
		errs = append(errs, errors.New("the root file system must not be that of the machine"))
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		errs = append(errs, errors.New("no command given"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// maxAccounts bounds what is read of an image's account files.
const maxAccounts = 4 << 20

// lookupUser turns the user of an image into numbers, as the OCI image configuration defines it. Names are those
// of the image's own /etc/passwd and /etc/group.
func lookupUser(rootfs, user string) (uid, gid int, err error) {
	name, group, hasGroup := strings.Cut(user, ":")
	if name != "" {
		var primary string
		if uid, primary, err = lookupAccount(rootfs, "etc/passwd", name, 3); err != nil {
			return 0, 0, err
		}
		if gid, err = accountID(primary); err != nil {
			gid = 0
		}
	}
	if hasGroup && group != "" {
		if gid, _, err = lookupAccount(rootfs, "etc/group", group, 2); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}

// lookupAccount finds a name, or for a number the entry of that number, and yields its number and one more
// field. A number needs no entry.
func lookupAccount(rootfs, file, name string, field int) (int, string, error) {
	number, numErr := accountID(name)
	root, err := os.OpenRoot(rootfs) // links in an image may point anywhere; they are followed only inside
	if err != nil {
		return 0, "", err
	}
	defer root.Close()
	f, err := root.Open(file)
	if err != nil {
		if numErr == nil {
			return number, "", nil
		}
		return 0, "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxAccounts))
	for lines.Scan() {
		entry := strings.Split(lines.Text(), ":")
		if len(entry) <= field || (entry[0] != name && (numErr != nil || entry[2] != name)) {
			continue
		}
		if id, err := accountID(entry[2]); err == nil {
			return id, entry[field], nil
		}
	}
	if numErr == nil {
		return number, "", nil
	}
	return 0, "", fmt.Errorf("there is no %q in its /%s", name, file)
}

func accountID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}
