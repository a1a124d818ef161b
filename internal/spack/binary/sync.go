package binary

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncTree brings everything below root to the disk. One call for the whole
// file system costs far less than one for each of thousands of files, and
// nothing more when many packages are installed one after the other.
func syncTree(root *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(root.Fd())))
}

// syncDir makes a rename in a directory last.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
