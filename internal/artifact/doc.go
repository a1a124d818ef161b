// Package artifact keeps the products of steps, found by the content key of what made
// them, so that nothing is built twice: in a directory, which many processes may share,
// or in a repository of an OCI registry.
//
// A product is an archive, see package archive, and a [Record] that says what it is.
// The archive is stored by its digest, the record by its key, and always after the
// archive: a record that can be found has its archive. The first record of a key stays,
// because others may already have used what it names.
//
// What comes out of a cache was written by whoever may write there, and is checked:
// records in form, archives against the digest in the record. An archive that is not
// what its record says gives a [*CorruptError]; to the caller it is a product that is
// not in the cache, and storing it anew replaces it.
package artifact
