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

// keepRuns is of how many runs the logs are kept.
const keepRuns = 100

// sweep removes what runs that ended early have left in the working data, and
// the logs of old runs. Nothing depends on it: what cannot be removed stays.
func (w *Workspace) sweep() {
	keepOutOfGit(w.WorkDir)
	if runs, err := os.ReadDir(w.LogDir()); err == nil { // sorted by name, and so by time
		for _, run := range runs[:max(len(runs)-keepRuns, 0)] {
			_ = os.RemoveAll(filepath.Join(w.LogDir(), run.Name()))
		}
	}
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

// keepOutOfGit makes a directory of working data, and in it a .gitignore that
// ignores all of it and itself: nobody commits a state or a log by accident. One
// that is there is left alone, and where none can be written, none is needed.
func keepOutOfGit(workDir string) {
	if os.MkdirAll(workDir, 0o777) == nil {
		_, _ = create(filepath.Join(workDir, ".gitignore"), []byte("# Made by esd: working data, not for version control.\n*\n"))
	}
}
