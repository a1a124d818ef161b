package workspace

import (
	"os"
	"path/filepath"
	"time"
)

// How long what killed and failed runs leave behind is kept: temporary files
// are of no use to anybody, the files of a failed build are looked at.
const (
	keepTemporary = 24 * time.Hour
	keepBuilds    = 7 * 24 * time.Hour
)

// sweep removes what runs that ended early have left in the working data.
// Nothing depends on it: what cannot be removed stays.
func (w *Workspace) sweep() {
	for dir, keep := range map[string]time.Duration{"tmp": keepTemporary, "build": keepBuilds} {
		dir = filepath.Join(w.WorkDir, dir)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && w.opts.Now().Sub(info.ModTime()) > keep {
				_ = os.RemoveAll(filepath.Join(dir, e.Name()))
			}
		}
	}
}
