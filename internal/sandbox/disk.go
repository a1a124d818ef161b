//go:build unix

package sandbox

import (
	"context"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// watchDisk sends how many bytes RootDir has grown by once that is more than the limit. Looking costs time in
// proportion to the number of files, so the pause grows with it: looking takes at most a tenth of the time.
func watchDisk(ctx context.Context, spec Spec) <-chan int64 {
	over := make(chan int64, 1)
	if spec.DiskLimit <= 0 {
		return over
	}
	go func() {
		before := diskUsage(ctx, spec.RootDir)
		pause := 250 * time.Millisecond
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			start := time.Now()
			if grown := diskUsage(ctx, spec.RootDir) - before; grown > spec.DiskLimit {
				over <- grown
				return
			}
			pause = max(500*time.Millisecond, 10*time.Since(start))
		}
	}()
	return over
}

// diskUsage adds up the blocks of all files below dir. Files that vanish meanwhile do not count, and hard links
// count each time.
func diskUsage(ctx context.Context, dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += int64(st.Blocks) * 512
			}
		}
		return nil
	})
	return sum
}
