package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"esd/internal/compare"
	"esd/internal/compare/inventory"
	"esd/internal/oci"
	"esd/internal/state"
)

// DiffOptions says what is compared.
type DiffOptions struct {
	// From and To are what the user wrote: files, directories, REVISION:PATH of
	// git, references of images, or - for standard input.
	From, To string
	// Wanted tells which environments and targets are compared, by address; nil
	// for all.
	Wanted func(address string) bool
	// Layers allows to read small parts of images beside their manifests and
	// configurations: what Spack knows of its packages, and the release of the
	// distribution in the base.
	Layers bool
	// System asks for the packages of the distribution in the bases of images,
	// for which the layers of the bases are read.
	System bool
	// Platform is os/architecture[/variant], for references to several images;
	// empty for that of this machine.
	Platform string
	// OCI says how registries are reached.
	OCI oci.Options
	// Stdin is what - stands for.
	Stdin ReadAll
	// State reads what is recorded for a configuration.
	State Options
}

// ReadAll reads all there is, of at most so many bytes.
type ReadAll func(limit int64) ([]byte, error)

// Diff compares two plans, locks, states or images. It changes nothing.
func Diff(ctx context.Context, opts DiffOptions) (*compare.Difference, error) {
	if opts.From == "-" && opts.To == "-" {
		return nil, &DiffUsageError{errors.New("standard input can be one of the two only")}
	}
	opts.Platform = cmp.Or(opts.Platform, "linux/"+runtime.GOARCH)
	var sides [2]side
	group, groupCtx := errgroup.WithContext(ctx)
	for i, written := range []string{opts.From, opts.To} {
		group.Go(func() (err error) {
			sides[i], err = opts.open(groupCtx, written)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := opts.readImages(ctx, &sides); err != nil {
		return nil, err
	}
	for _, s := range sides {
		if opts.Wanted != nil && s.inventory.Kind != compare.Image {
			s.inventory.Only(opts.Wanted)
		}
	}
	d, err := compare.Diff(sides[0].inventory, sides[1].inventory)
	if err != nil {
		return nil, &DiffUsageError{err}
	}
	if a, b := sides[0].header, sides[1].header; a != nil && b != nil && a.Lineage == b.Lineage && a.Serial == b.Serial {
		d.Notes = append(d.Notes, fmt.Sprintf("Of configurations their recorded states are compared; both lead to the same state, serial %d. "+
			"What each of them would change is told by esd plan.", a.Serial))
	}
	return d, nil
}

// DiffUsageError tells that what was named cannot be compared.
type DiffUsageError struct{ Err error }

func (e *DiffUsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *DiffUsageError) Unwrap() error { return e.Err }

// side is one of the two: an inventory, or an image of which more may be read.
type side struct {
	inventory *compare.Inventory
	image     *inventory.Image
	header    *state.Header // of the state that is recorded for a configuration
}

// open finds out what an argument is, and reads it.
func (o DiffOptions) open(ctx context.Context, written string) (side, error) {
	src, err := o.find(ctx, written)
	if err != nil {
		return side{}, err
	}
	if src.image != nil {
		img, err := inventory.OpenImage(ctx, written, *src.image, inventory.ImageOptions{OCI: o.OCI, Platform: o.Platform})
		if err != nil {
			return side{}, fmt.Errorf("%s was taken for a published image: %w", written, err)
		}
		return side{image: img}, nil
	}
	if src.config {
		return o.recorded(ctx, written)
	}
	inv, err := src.read(written)
	return side{inventory: inv}, err
}

// readImages reads the rest of images: of two with the same base, nothing of
// that.
func (o DiffOptions) readImages(ctx context.Context, sides *[2]side) error {
	a, b := sides[0].image, sides[1].image
	both := a != nil && b != nil
	what := inventory.Contents{
		Spack:   o.Layers && (!both || a.SpackID() != b.SpackID()),
		Release: o.Layers && both && a.BaseID() != b.BaseID(),
		System:  o.System,
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range sides {
		if sides[i].image == nil {
			continue
		}
		group.Go(func() (err error) {
			sides[i].inventory, err = sides[i].image.Inventory(ctx, what)
			return err
		})
	}
	return group.Wait()
}
