//go:build !unix

package local

import "os"

// flock does not exist here; the existence of the lock file has to do.
func flock(*os.File) error { return errNoLocks }
