package sandbox

// FileSystem says on what kind of file system a path lies.
type FileSystem struct {
	Name        string // as mount(8) calls it: ext4, tmpfs, nfs, gpfs, lustre, overlay, fuse.sshfs, …
	Distributed bool   // other machines write to it too: locks, links and small files are slow or special there
	NoExec      bool   // programs on it cannot be started
	ReadOnly    bool
}

// Space says how much of a file system is left.
type Space struct {
	Total, Free       uint64 // bytes; Free is what an ordinary user may still use
	Inodes, FreeNodes uint64 // files; 0 and 0 where the file system does not count them
}
