package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

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
	dir := a.provider.tmpDir()
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
			return providers.Result{}, err
		}
		_, err = archive.UnpackLayer(ctx, r, archive.LayerOptions{Dest: rootfs, Expect: l.Descriptor.Digest})
		r.Close()
		if err != nil {
			return providers.Result{}, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	// What the image says, with what it has from its base.
	var config ocispec.Image
	if err := json.Unmarshal(img.Config, &config); err != nil {
		return providers.Result{}, fmt.Errorf("the configuration of the image: %w", err)
	}
	timeout, _ := schema.ParseDuration(c.Timeout) // checked by the schema
	result, err := sandbox.RunInRoot(ctx, sandbox.RootSpec{
		Rootfs: rootfs, Argv: c.Command, Env: variables(config.Config), Dir: config.Config.WorkingDir, User: config.Config.User,
		Timeout: timeout, Stdout: a.run.Log, LogLimit: 16 << 20,
	})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("the check failed: %w; the image is not published", err)
	}
	return providers.Result{PeakMemory: result.MaxRSS}, err
}

// variables are what a container engine would give to a program.
func variables(c ocispec.ImageConfig) []string {
	return append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env...)
}
