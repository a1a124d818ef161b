package sandbox

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestFileSystemsAreRecognized(t *testing.T) {
	for path, want := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev/shm": "tmpfs"} {
		got, err := FileSystemType(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got.Name != want || got.Distributed {
			t.Errorf("%s: got %+v, want %s", path, got, want)
		}
	}
	here, err := FileSystemType(t.TempDir())
	if err != nil || here.Name == "" || here.ReadOnly {
		t.Errorf("got %+v, %v", here, err)
	}
	if _, err := FileSystemType("/no/such/path"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTheFileSystemsOfClustersAreDistributed(t *testing.T) {
	for magic, want := range map[uint32]kind{
		0x6969: {"nfs", true}, 0x47504653: {"gpfs", true}, 0x0bd00bd0: {"lustre", true}, 0x19830326: {"beegfs", true},
		0x00c36400: {"ceph", true}, 0xef53: {"ext4", false}, 0x58465342: {"xfs", false}, 0x794c7630: {"overlay", false},
	} {
		if got := magicKinds()[magic]; got != want {
			t.Errorf("%#x: got %v, want %v", magic, got, want)
		}
	}
	for name, want := range map[string]bool{"fuse.sshfs": true, "fuse.glusterfs": true, "fuse.cvmfs2": true, "fuse.squashfuse": false, "fuse.fuse-overlayfs": false} {
		if got := distributedName(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	const mountinfo = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n37 35 0:44 / /home/a rw - fuse.sshfs host:/ rw\n"
	if got := typeOfDevice(mountinfo, "0:44"); got != "fuse.sshfs" {
		t.Errorf("got %q", got)
	}
}

func TestFreeSpaceIsTold(t *testing.T) {
	s, err := Free(t.TempDir())
	if err != nil || s.Total == 0 || s.Free > s.Total || s.FreeNodes > s.Inodes {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestMountinfoIsRead(t *testing.T) {
	const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 98:0 /a /with\040blank ro,nosuid,nodev,noexec,noatime master:1 - ext3 /dev/root rw
short line
x y 0:1 / /bad rw - a b c
40 36 0:9 / /back\134slash\04 rw,relatime - tmpfs tmpfs rw`
	want := []mountEntry{
		{22, 27, "/proc", unix.MS_RELATIME},
		{36, 35, "/with blank", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME},
		{40, 36, `/back\slash\04`, unix.MS_RELATIME},
	}
	if diff := cmp.Diff(want, parseMountinfo([]byte(text)), cmp.AllowUnexported(mountEntry{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add([]byte("36 35 98:0 /a /with\\040blank ro,nosuid master:1 - ext3 /dev/root rw\n"))
	f.Add([]byte("1 2 3 4 \\999\\ ,\n\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range parseMountinfo(data) {
			if len(m.point) > len(data) {
				t.Errorf("%q is longer than the text", m.point)
			}
		}
		typeOfDevice(string(data), "98:0")
	})
}

func FuzzAccounts(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/sh\n", "root")
	f.Add("::::\na:b:-1:c", "a")
	f.Fuzz(func(t *testing.T, passwd, user string) {
		dir := t.TempDir()
		copyText(t, dir, "etc/passwd", passwd)
		if uid, gid, err := lookupUser(dir, user); err == nil && (uid < 0 || gid < 0) {
			t.Errorf("%q: %d:%d", user, uid, gid)
		}
	})
}
