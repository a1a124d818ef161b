package sandbox

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kind is what a magic number of statfs(2) stands for.
type kind struct {
	name        string
	distributed bool
}

// magicKinds maps the numbers of <linux/magic.h> and of the file systems of clusters, which live outside of the
// kernel, to names.
func magicKinds() map[uint32]kind {
	return map[uint32]kind{
		unix.EXT4_SUPER_MAGIC: {"ext4", false}, unix.XFS_SUPER_MAGIC: {"xfs", false},
		unix.BTRFS_SUPER_MAGIC: {"btrfs", false}, unix.TMPFS_MAGIC: {"tmpfs", false},
		unix.RAMFS_MAGIC: {"ramfs", false}, unix.OVERLAYFS_SUPER_MAGIC: {"overlay", false},
		unix.SQUASHFS_MAGIC: {"squashfs", false}, unix.EROFS_SUPER_MAGIC_V1: {"erofs", false},
		unix.F2FS_SUPER_MAGIC: {"f2fs", false}, unix.MSDOS_SUPER_MAGIC: {"vfat", false},
		unix.ISOFS_SUPER_MAGIC: {"iso9660", false}, unix.PROC_SUPER_MAGIC: {"proc", false},
		unix.SYSFS_MAGIC: {"sysfs", false}, 0x2fc12fc1: {"zfs", false}, 0x61756673: {"aufs", false},
		0xca451a4e: {"bcachefs", false}, 0x786f4256: {"vboxsf", true},
		unix.NFS_SUPER_MAGIC: {"nfs", true}, unix.SMB_SUPER_MAGIC: {"smb", true},
		unix.CIFS_SUPER_MAGIC: {"cifs", true}, unix.SMB2_SUPER_MAGIC: {"smb2", true},
		unix.CEPH_SUPER_MAGIC: {"ceph", true}, unix.AFS_SUPER_MAGIC: {"afs", true},
		unix.AFS_FS_MAGIC: {"afs", true}, unix.V9FS_MAGIC: {"9p", true},
		unix.OCFS2_SUPER_MAGIC: {"ocfs2", true}, 0x01161970: {"gfs2", true},
		0x47504653: {"gpfs", true}, 0x0bd00bd0: {"lustre", true}, 0x19830326: {"beegfs", true},
		0xaad7aaea: {"panfs", true}, 0x20030528: {"orangefs", true}, 0x013111a8: {"ibrix", true},
		unix.FUSE_SUPER_MAGIC: {"fuse", false},
	}
}

// FileSystemType asks on what kind of file system path lies. An unknown kind has its magic number as name.
func FileSystemType(path string) (FileSystem, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return FileSystem{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	magic := uint32(st.Type)
	k, known := magicKinds()[magic]
	if !known {
		k.name = fmt.Sprintf("0x%08x", magic)
	}
	if !known || k.name == "fuse" {
		if name := mountedType(path); name != "" {
			k = kind{name, distributedName(name)}
		}
	}
	return FileSystem{
		Name: k.name, Distributed: k.distributed,
		NoExec: st.Flags&unix.ST_NOEXEC != 0, ReadOnly: st.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// Free asks how much room is left where path lies.
func Free(path string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	size := uint64(st.Frsize)
	if size == 0 {
		size = uint64(st.Bsize)
	}
	return Space{Total: st.Blocks * size, Free: st.Bavail * size, Inodes: st.Files, FreeNodes: st.Ffree}, nil
}

// mountedType finds the type under which the device of path is mounted; for FUSE it has the program's name.
func mountedType(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return ""
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	device := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	return typeOfDevice(string(data), device)
}

// typeOfDevice finds in the text of mountinfo, see proc(5), the type of the file system on a device.
func typeOfDevice(mountinfo, device string) string {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if ok && len(f) > 2 && len(g) > 0 && f[2] == device {
			return g[0]
		}
	}
	return ""
}

// distributedName knows the file systems that only their name gives away.
func distributedName(name string) bool {
	for _, part := range []string{"sshfs", "gluster", "cvmfs", "s3fs", "gcsfuse", "ceph", "juicefs", "moosefs", "mfs", "quobyte",
		"weka", "davfs", "rclone", "goofys", "nfs", "lustre", "gpfs", "beegfs", "hdfs", "seaweedfs"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
