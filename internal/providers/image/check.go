package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"esd/internal/archive"
	"esd/internal/providers"
	"esd/internal/sandbox"
	"esd/internal/schema"
)

// check runs one command inside the image: its layers are unpacked and the
// command sees nothing but them.
func (a *assembly) check(ctx context.Context, c check) (providers.Result, error) {
	img, err := a.load(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	dir := filepath.Join(a.provider.opts.WorkDir, "tmp")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return providers.Result{}, err
	}
	rootfs, err := os.MkdirTemp(dir, "check-*")
	if err != nil {
		return providers.Result{}, err
	}
	defer os.RemoveAll(rootfs)
	for i, l := range img.Layers {
		r, err := l.Open(ctx)
		if err != nil {
			return providers.Result{}, retry(err)
		}
		_, err = archive.UnpackLayer(ctx, r, archive.LayerOptions{Dest: rootfs, Expect: l.Descriptor.Digest})
		r.Close()
		if err != nil {
			return providers.Result{}, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	timeout, _ := schema.ParseDuration(c.Timeout) // checked by the schema
	result, err := sandbox.RunInRoot(ctx, sandbox.RootSpec{
		Rootfs: rootfs, Argv: c.Command, Env: a.image.environment(), Dir: a.image.Workdir, User: a.image.User,
		Timeout: timeout, Stdout: a.run.Log, LogLimit: 16 << 20,
	})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("the check failed: %w; the image is not published", err)
	}
	return providers.Result{PeakMemory: result.MaxRSS}, err
}

// environment is what a container engine would give to a program.
func (s imageSpec) environment() []string {
	return append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.Env...)
}
