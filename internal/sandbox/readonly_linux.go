package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readOnly makes the mount at path read-only, without set-user-id programs and devices, and with it all below
// if recursive. Linux 5.12 does that in one call; before, each mount needs its own.
func (t *tree) readOnly(path string, recursive bool) error {
	if !t.old {
		flags := uint(unix.AT_SYMLINK_NOFOLLOW)
		if recursive {
			flags |= unix.AT_RECURSIVE
		}
		err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{
			Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		})
		if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
			return err
		}
		// EPERM is also what an old seccomp filter answers to a call it does not know.
	}
	return remountReadOnly(path, recursive)
}

// remountReadOnly does the same mount by mount. A remount that forgets a flag which a user namespace has locked
// is refused, so the present flags are kept.
func remountReadOnly(path string, recursive bool) error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	mounts := parseMountinfo(data)
	top := -1
	for i, m := range mounts {
		if m.point == path {
			top = i // the last one on a place is the visible one
		}
	}
	if top < 0 {
		return fmt.Errorf("%s: not a mount point: %w", path, unix.EINVAL)
	}
	below := map[int]bool{mounts[top].id: true}
	for i, m := range mounts {
		if i != top && !(recursive && below[m.parent]) {
			continue
		}
		below[m.id] = true
		flags := m.flags | unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
		if err := unix.Mount("", m.point, "", flags, ""); err != nil {
			return fmt.Errorf("%s: %w", m.point, err)
		}
	}
	return nil
}

// mountEntry is what is needed here of a line of /proc/self/mountinfo, see proc(5).
type mountEntry struct {
	id, parent int
	point      string
	flags      uintptr
}

// parseMountinfo reads the mounts in the order of the kernel, which is that of mounting. Lines it does not
// understand are left out.
func parseMountinfo(data []byte) []mountEntry {
	known := map[string]uintptr{
		"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
		"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME,
		"nosymfollow": 0x100,
	}
	var all []mountEntry
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) < 6 {
			continue
		}
		id, err1 := strconv.Atoi(f[0])
		parent, err2 := strconv.Atoi(f[1])
		if err1 != nil || err2 != nil {
			continue
		}
		m := mountEntry{id: id, parent: parent, point: unescapeMount(f[4])}
		for o := range strings.SplitSeq(f[5], ",") {
			m.flags |= known[o]
		}
		all = append(all, m)
	}
	return all
}

// unescapeMount undoes the kernel's \ooo for blank, tab, newline and backslash.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
