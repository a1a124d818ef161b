// Package archive turns trees of files into archives and back, hashes trees and
// copies them.
//
// The product of a build is kept as one archive that already is an OCI image layer:
// an image that contains the package refers to the same bytes, and nothing is
// compressed twice. So the bytes must depend on the content alone. [Pack] writes
// entries in a fixed order, all owned by 0:0 with one modification time, and keeps of
// the mode no more than "may be executed".
//
// Reading is the other half: [Unpack] and [UnpackLayer] read what anybody may have
// written, caches and downloads, and never leave the directory they are given.
//
// Archives follow POSIX.1-2001 pax interchange format and the OCI image specification
// 1.1 (image layer file system changeset).
package archive
