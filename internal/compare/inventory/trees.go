package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"esd/internal/archive"
	"esd/internal/compare"
	"esd/internal/oci"
	"esd/internal/spack"
)

const (
	// maxTrees bounds the layer with what Spack knows, in bytes as it is stored;
	// that of 100,000 packages has some 30 MB.
	maxTrees = 128 << 20
	// maxDatabase bounds a database in it, in bytes.
	maxDatabase = 1 << 30
)

// treesLayer is the layer with what Spack knows of its install trees.
func (i *Image) treesLayer() *oci.Layer {
	for n := range i.image.Layers {
		if l := &i.image.Layers[n]; l.Title == treesTitle && l.Key != "" {
			return l
		}
	}
	return nil
}

// readTrees takes over what Spack's databases in the image say.
func (i *Image) readTrees(ctx context.Context, g *compare.Group) error {
	l := i.treesLayer()
	if l.Descriptor.Size > maxTrees {
		return fmt.Errorf("it has %d bytes, and at most %d are read", l.Descriptor.Size, maxTrees)
	}
	dir, err := os.MkdirTemp("", "esd-diff-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := l.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	limits := archive.Limits{MaxBytes: maxDatabase, MaxFiles: 10_000, MaxFileSize: maxDatabase}
	if _, err := archive.Unpack(ctx, r, archive.UnpackOptions{Dest: dir, Limits: limits, Links: archive.LinksInside}); err != nil {
		return err
	}
	full := &compare.Group{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(filepath.ToSlash(path), "/.spack-db/index.json") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return readDatabase(data, full)
	})
	if err != nil {
		return err
	}
	Enrich(g, full)
	return nil
}

// readDatabase reads the install database of Spack that esd puts into images:
// all that a package depends on is in it, also what is not installed.
func readDatabase(data []byte, g *compare.Group) error {
	var file struct {
		Database struct {
			Version  string `json:"version"`
			Installs map[string]struct {
				Spec      json.RawMessage `json:"spec"`
				Installed bool            `json:"installed"`
				Explicit  bool            `json:"explicit"`
			} `json:"installs"`
		} `json:"database"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("the database of Spack is damaged: %w", err)
	}
	version := 5
	if file.Database.Version == "7" {
		version = 4 // Spack 0.23
	}
	var decoder spack.Decoder
	specs := make(spack.Specs, len(file.Database.Installs))
	for hash, record := range file.Database.Installs {
		s, err := decoder.Decode(record.Spec, version)
		if err != nil {
			return fmt.Errorf("the database of Spack is damaged: %w", err)
		}
		if string(s.Hash) != hash {
			return fmt.Errorf("the database of Spack is damaged: the record %.40q is that of %s", hash, s.Hash)
		}
		specs[s.Hash] = s
	}
	for hash, s := range specs {
		record := file.Database.Installs[string(hash)]
		if record.Installed && s.External == nil {
			p := packageOf(s, specs)
			p.Asked, p.Runs = record.Explicit, true
			g.Packages = append(g.Packages, p)
		}
	}
	return nil
}
