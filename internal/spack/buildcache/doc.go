// Package buildcache reads and writes Spack's build caches: version 2 (build_cache/),
// version 3 (manifests and content-addressed blobs) and OCI repositories, on file
// systems, HTTP, S3 and registries. What it writes Spack accepts, and what Spack
// writes it reads.
//
// A [Cache] is asked what it has with [Cache.Lookup]. The index of a cache is a hint
// that saves requests, never the truth: what it does not list is looked for by name,
// and what it lists wrongly is found out when the entry is read.
//
// Everything in a cache was written by whoever may write there, and is treated so:
// texts are bounded, digests and sizes checked, names never lead outside the cache.
//
// The formats are described in Spack's url_buildcache.py, binary_distribution.py and
// oci/ (1.2), and in binary_distribution.py (0.23) for version 2.
package buildcache
