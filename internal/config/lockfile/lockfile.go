// Package lockfile reads and writes NAME.lock.hcl, the file that pins
// everything mutable that a configuration refers to: tags of images to
// digests, references of git repositories to commits, files behind URLs to
// checksums.
//
// The file is written by esd lock and committed beside the configuration. It
// has a block for each pin:
//
//	image "debian:12-slim" {
//	  digest = "sha256:…"
//	}
//	git "https://example.org/greet.git" "v1.0.2" {
//	  commit = "…"
//	}
//	file "https://example.org/greet-1.2.tar.gz" {
//	  sha256 = "…"
//	}
//	environment "environment.sim" {
//	  specs  = "nest@3.8 +mpi | neuron"
//	  spack  = "…"
//	  config = "…"
//	  sha256 = "…"
//	}
//
// An environment's block says from which inputs its spack.lock, the file with
// that checksum, was concretized.
package lockfile

import (
	"cmp"
	"maps"
	"slices"
)

// Image names an image as a configuration does, for one platform.
type Image struct {
	Reference string
	// Platform is os/architecture[/variant]; empty stands for an image that is
	// the same for all.
	Platform string
}

// Git names a reference in a git repository.
type Git struct {
	URL, Ref string
}

// Environment is what an environment was concretized from, and the checksum of
// what came out. Spack, Config and From are digests in hex, empty for inputs
// that there are not.
type Environment struct {
	Specs               []string
	Spack, Config, From string
	SHA256              string
}

// separator stands between specs: no spec can contain it.
const separator = " | "

// Lock is the content of a lock file.
type Lock struct {
	images map[Image]string
	gits   map[Git]string
	files  map[string]string
	envs   map[string]Environment // by address
}

// New returns a lock without pins.
func New() *Lock {
	return &Lock{images: map[Image]string{}, gits: map[Git]string{}, files: map[string]string{}, envs: map[string]Environment{}}
}

// Image returns the digest, algorithm:hex, that an image is pinned to.
func (l *Lock) Image(image Image) (digest string, ok bool) {
	digest, ok = l.images[image]
	return digest, ok
}

// SetImage pins an image to a digest.
func (l *Lock) SetImage(image Image, digest string) { l.images[image] = digest }

// Git returns the commit that a reference is pinned to.
func (l *Lock) Git(git Git) (commit string, ok bool) {
	commit, ok = l.gits[git]
	return commit, ok
}

// SetGit pins a reference to a commit.
func (l *Lock) SetGit(git Git, commit string) { l.gits[git] = commit }

// File returns the SHA-256 that the file behind a URL is pinned to, in hex.
func (l *Lock) File(url string) (sha256 string, ok bool) {
	sha256, ok = l.files[url]
	return sha256, ok
}

// SetFile pins the file behind a URL to its SHA-256 in hex.
func (l *Lock) SetFile(url, sha256 string) { l.files[url] = sha256 }

// Images lists the pinned images in the order of the file.
func (l *Lock) Images() []Image {
	return slices.SortedFunc(maps.Keys(l.images), func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Platform, b.Platform))
	})
}

// Gits lists the pinned references in the order of the file.
func (l *Lock) Gits() []Git {
	return slices.SortedFunc(maps.Keys(l.gits), func(a, b Git) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Ref, b.Ref))
	})
}

// Files lists the pinned URLs in the order of the file.
func (l *Lock) Files() []string { return slices.Sorted(maps.Keys(l.files)) }

// Environment returns what the environment with an address was locked to.
func (l *Lock) Environment(address string) (Environment, bool) {
	e, ok := l.envs[address]
	return e, ok
}

// SetEnvironment records what an environment was locked to.
func (l *Lock) SetEnvironment(address string, e Environment) { l.envs[address] = e }

// RemoveEnvironment forgets an environment.
func (l *Lock) RemoveEnvironment(address string) { delete(l.envs, address) }

// Environments lists the addresses of the locked environments in the order of
// the file.
func (l *Lock) Environments() []string { return slices.Sorted(maps.Keys(l.envs)) }

// Len is how many pins there are.
func (l *Lock) Len() int { return len(l.images) + len(l.gits) + len(l.files) + len(l.envs) }
