package environment

import (
	"context"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
)

// copyTo brings an archive to another build cache as it is; with force in place
// of what is there.
func copyTo(ctx context.Context, to *buildcache.Cache, from Archive, lock *lockfile.Lock, s *spack.Spec, force bool) error {
	_, err := to.Push(ctx, buildcache.PushRequest{
		Spec: s, Specs: lock.Specs, Prefix: from.entry.Prefix, Force: force,
		Archive: buildcache.Archive{
			Open:   from.reopen(ctx),
			SHA256: from.SHA256(), Size: from.Size(), DiffID: from.entry.DiffID, TarSize: from.entry.TarSize,
		},
	})
	return err
}
