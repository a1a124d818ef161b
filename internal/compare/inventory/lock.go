package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/config/lockfile"
	spacklock "esd/internal/spack/lockfile"
)

// ReadFile reads a file beside the lock file of a configuration, by a slash
// path relative to it. [fs.ErrNotExist] where there is none.
type ReadFile func(name string) ([]byte, error)

// Lock reads the lock file of a configuration, and with it the locks of its
// environments.
func Lock(name string, lock *lockfile.Lock, read ReadFile) (*compare.Inventory, error) {
	inv := &compare.Inventory{Kind: compare.Lock, Name: name, Groups: []*compare.Group{pins(lock)}}
	for _, address := range lock.Environments() {
		e, _ := lock.Environment(address)
		g, note, err := lockedEnvironment(address, e, read)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if note != "" {
			inv.Notes = append(inv.Notes, name+": "+note)
		}
		for _, input := range []struct{ name, digest string }{{"spack", e.Spack}, {"config", e.Config}, {"spack.yaml", e.From}} {
			if input.digest != "" {
				g.Facts = append(g.Facts, compare.Fact{Kind: "input", Name: input.name, ID: input.digest})
			}
		}
		inv.Groups = append(inv.Groups, g)
	}
	return inv, nil
}

// pins are what a lock file pins beside environments.
func pins(lock *lockfile.Lock) *compare.Group {
	g := &compare.Group{Kind: compare.Pins}
	for _, image := range lock.Images() {
		digest, _ := lock.Image(image)
		g.Facts = append(g.Facts, compare.Fact{Kind: "image", Name: strings.TrimSpace(image.Reference + " " + image.Platform), ID: digest})
	}
	for _, git := range lock.Gits() {
		commit, _ := lock.Git(git)
		g.Facts = append(g.Facts, compare.Fact{Kind: "git", Name: git.URL + " " + git.Ref, ID: commit})
	}
	for _, url := range lock.Files() {
		sum, _ := lock.File(url)
		g.Facts = append(g.Facts, compare.Fact{Kind: "file", Name: url, ID: "sha256:" + sum})
	}
	return g
}

// lockedEnvironment reads the spack.lock of an environment, if it is there.
func lockedEnvironment(address string, e lockfile.Environment, read ReadFile) (g *compare.Group, note string, err error) {
	g = &compare.Group{Kind: compare.Environment, Address: address, Specs: e.Specs, SpecsKnown: len(e.Specs) > 0}
	a, err := addr.Parse(address)
	if err != nil {
		return nil, "", err
	}
	file := path.Join("locks", SpackLockName(a))
	data, err := read(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		g.Unknown = true
	case err != nil:
		return nil, "", err
	}
	switch {
	case g.Unknown && a.Module != "":
		return g, fmt.Sprintf("the packages of %s are not compared: it stands in a module, whose directory a lock file does not name", address), nil
	case g.Unknown:
		return g, fmt.Sprintf("the packages of %s are not compared: %s is missing", address, file), nil
	}
	if digest(data) != e.SHA256 {
		note = fmt.Sprintf("%s is not the file that was locked for %s; it is compared as it stands there", file, address)
	}
	lock, err := spacklock.Parse(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", file, err)
	}
	return Environment(address, lock), note, nil
}

// SpackLockName is the name of the file with the spack.lock of an environment.
func SpackLockName(a addr.Address) string {
	name := a.Name
	if a.Keyed {
		name += "-" + strings.Map(func(r rune) rune {
			if r == '/' || r == '\\' || r == ' ' || r < ' ' {
				return '-'
			}
			return r
		}, a.Key)
	}
	return name + spackLockSuffix
}

const spackLockSuffix = ".spack.lock"

// AddressOfSpackLock is that of the environment whose spack.lock has this name,
// as far as the name says; empty where it does not.
func AddressOfSpackLock(file string) string {
	if i := strings.LastIndexAny(file, "/:"); i >= 0 {
		file = file[i+1:]
	}
	name, ok := strings.CutSuffix(file, spackLockSuffix)
	if _, err := addr.Parse("environment." + name); !ok || err != nil {
		return ""
	}
	return "environment." + name
}
