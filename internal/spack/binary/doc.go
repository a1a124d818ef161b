// Package binary reads and writes install archives: the tarballs of Spack's
// build caches, which hold one installed package each.
//
// [Pack] makes one of an install prefix, byte for byte the tar that Spack makes
// of it. [Install] unpacks one into another prefix and relocates it, [Layer]
// makes the same files a layer of an image without an install tree in between.
// [Metadata] is what an archive says of itself, in its last member.
//
// Archives come from the outside. They are read in one pass, in bounded memory,
// and never write outside the directory they are unpacked to; the types of the
// errors tell what was wrong.
//
// The format is that of Spack 0.22 and later, layout version 2 of the archive
// (binary_distribution.py and util/archive.py), which is the same in all
// layouts of build caches.
package binary
