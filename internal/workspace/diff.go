package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"esd/internal/compare"
	"esd/internal/compare/inventory"
	"esd/internal/spack/lockfile"
)

// DiffOptions says what is compared.
type DiffOptions struct {
	// From and To are what the user wrote.
	From, To string
}

// Diff compares two plans, locks, states or images.
func Diff(ctx context.Context, opts DiffOptions) (*compare.Difference, error) {
	from, err := inventoryOf(ctx, opts.From)
	if err != nil {
		return nil, err
	}
	to, err := inventoryOf(ctx, opts.To)
	if err != nil {
		return nil, err
	}
	return compare.Diff(from, to), nil
}

// maxCompared bounds what is read for a comparison, in bytes.
const maxCompared = 1 << 30

func inventoryOf(_ context.Context, written string) (*compare.Inventory, error) {
	path := written
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "spack.lock")
	}
	data, err := readCompared(path)
	if err != nil {
		return nil, err
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", written, err)
	}
	return &compare.Inventory{Kind: compare.SpackLock, Name: written, Groups: []*compare.Group{inventory.Environment("", lock)}}, nil
}

func readCompared(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCompared+1))
	if err == nil && len(data) > maxCompared {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxCompared>>20)
	}
	return data, err
}
