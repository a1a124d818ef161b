package command

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/mirror"
)

//go:embed sources.py
var sourcesScript []byte

// maxSources is the size of the largest description of sources that is read;
// one source takes some 400 bytes.
const maxSources = 256 << 20

// Sources asks Spack what building the given packages of a lock downloads:
// their sources, resources and patches. Nothing is fetched. Packages that need
// nothing (externals, bundles, packages without code) are left out.
func (i *Instance) Sources(ctx context.Context, lock []byte, hashes []spack.Hash) ([]mirror.Source, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	env, remove, err := i.scriptEnvironment(ctx, lock, hashes)
	if err != nil {
		return nil, err
	}
	defer remove()
	out := filepath.Join(env, "found.json")
	if err := i.script(ctx, running{doing: "finding sources", env: env}, hashes, "list", out); err != nil {
		return nil, err
	}
	text, err := readBounded(out, maxSources)
	if err != nil {
		return nil, fmt.Errorf("finding sources: %w: Spack wrote no list of them: %w", ErrCrashed, err)
	}
	var found []mirror.Source
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, fmt.Errorf("finding sources: %w: %w", ErrCrashed, err)
	}
	for n := range found {
		if err := found[n].Check(); err != nil {
			return nil, fmt.Errorf("finding sources: %w", err)
		}
	}
	return found, nil
}

// Store lets Spack itself fetch sources into the mirror in dir: those from
// version control, which Spack packs in its own way. It is what
// [mirror.Options].Others is for.
func (i *Instance) Store(ctx context.Context, lock []byte, dir string, sources []mirror.Source) error {
	if len(sources) == 0 {
		return nil
	}
	var hashes []spack.Hash
	var wanted [][2]any
	for _, s := range sources {
		hashes = append(hashes, s.Hash)
		wanted = append(wanted, [2]any{s.Hash, s.Number})
	}
	env, remove, err := i.scriptEnvironment(ctx, lock, hashes)
	if err != nil {
		return err
	}
	defer remove()
	// Spack writes where it is told, at once and under the final name: a mirror of
	// its own keeps half a file out of the real one.
	part, err := os.MkdirTemp(dir, ".spack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	r := running{doing: "fetching sources from version control", env: env, writes: []string{part}, reads: directories(sources)}
	if err := i.script(ctx, r, wanted, "store", part); err != nil {
		return err
	}
	for _, s := range sources {
		if err := s.Check(); err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(s.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(part, filepath.FromSlash(s.Path)), to); err != nil && existing(to) == "" {
			return err
		}
	}
	return nil
}

func (i *Instance) scriptEnvironment(ctx context.Context, lock []byte, hashes []spack.Hash) (string, func(), error) {
	whole, err := readLock(lock)
	if err != nil {
		return "", nil, err
	}
	part, _, err := whole.part(hashes...)
	if err != nil {
		return "", nil, err
	}
	return i.environment(ctx, []byte(buildManifest), part)
}

// directories are the repositories among sources that are on this machine.
func directories(sources []mirror.Source) []string {
	var found []string
	for _, s := range sources {
		for _, address := range s.URLs {
			if dir := strings.TrimPrefix(address, "file://"); filepath.IsAbs(dir) && isDir(dir) {
				found = append(found, dir)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// script runs our script in Spack's Python. What it is about goes through a
// file: there may be more than fits on a command line.
func (i *Instance) script(ctx context.Context, r running, about any, action, target string) error {
	text, err := marshal(about)
	if err != nil {
		return err
	}
	script, argument := filepath.Join(r.env, "sources.py"), filepath.Join(r.env, "wanted.json")
	if err := writeFile(script, sourcesScript); err != nil {
		return err
	}
	if err := writeFile(argument, text); err != nil {
		return err
	}
	return i.run(ctx, r, "python", script, action, target, argument)
}

// Others is [Instance.Store] for one lock, as [mirror.Options] wants it.
func (i *Instance) Others(lock []byte) func(ctx context.Context, dir string, sources []mirror.Source) error {
	return func(ctx context.Context, dir string, sources []mirror.Source) error {
		return i.Store(ctx, lock, dir, sources)
	}
}
