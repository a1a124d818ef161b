package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"esd/internal/archive"
)

// PackTree packs a product into a temporary file in dir, ready to be stored in one or
// more caches. The caller removes the file.
func PackTree(ctx context.Context, dir string, opts archive.PackOptions) (*Packed, error) {
	f, err := os.CreateTemp(dir, "esd-product-*")
	if err != nil {
		return nil, fmt.Errorf("packing %s: %w", opts.Root, err)
	}
	p := &Packed{path: f.Name()}
	p.Summary, err = archive.Pack(ctx, f, opts)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, errors.Join(err, p.Remove())
	}
	return p, nil
}

// Packed is an archive in a temporary file.
type Packed struct {
	Summary archive.Summary
	path    string
}

// Open opens the archive for reading.
func (p *Packed) Open() (io.ReadCloser, error) { return os.Open(p.path) }

// Remove removes the file.
func (p *Packed) Remove() error { return os.Remove(p.path) }

// UnpackOptions say where a product goes.
type UnpackOptions struct {
	Dest     string              // directory that takes the place of the product's prefix; must not exist
	Relocate *archive.Relocation // where the product cannot be at its real prefix
}

// Unpack puts a product from a cache to opts.Dest, all or nothing. A product that is
// damaged, or whose archive is not what its record says, gives a [*CorruptError]; a
// Dest that exists, [fs.ErrExist].
//
// [fs.ErrExist]: https://pkg.go.dev/io/fs#ErrExist
func Unpack(ctx context.Context, c Cache, rec Record, opts UnpackOptions) error {
	src, err := c.Open(ctx, rec)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = archive.UnpackAtomic(ctx, src, archive.UnpackOptions{
		Dest: opts.Dest, At: rec.Prefix, Links: archive.LinksAnywhere, Relocate: opts.Relocate,
		// The record is believed only as far as the limits go anyway.
		Limits: archive.Limits{MaxBytes: min(rec.Archive.Uncompressed, archive.DefaultLimits().MaxBytes), MaxRatio: -1},
	})
	var corrupt *CorruptError
	switch {
	case err == nil || errors.As(err, &corrupt):
		return err
	case errors.Is(err, archive.ErrUnsafe), errors.Is(err, archive.ErrLimit), errors.Is(err, archive.ErrFormat):
		return &CorruptError{Location: c.Location(), Key: rec.Key, Reason: "its archive cannot be unpacked", Err: err}
	}
	// Damage mostly shows first as something the decompressor cannot read. Reading on
	// to the end tells it from trouble of other kinds; the cache bounds how far that is.
	if _, endErr := io.Copy(io.Discard, src); errors.As(endErr, &corrupt) {
		corrupt.Err = errors.Join(corrupt.Err, err)
		return corrupt
	}
	return err
}
