// Package transport moves objects, files named by relative paths, to and from
// directories, web servers and S3 buckets: what build caches and source mirrors lie
// in.
//
// A [Store] is opened with [Open] from a URL and has [Store.Get] (a part, or only what
// changed), [Store.Stat], [Store.Put], [Store.List] and [Store.Delete]. Failures that
// may pass are retried below these calls, an object appears as a whole or not at all,
// and errors are those of this package, whatever the server says. A download that is
// cut in the middle is taken up again by [Resume].
//
// Nothing that comes from a store is trusted: names never lead outside of it, and what
// an object should be is for the caller to verify, who knows its digest.
package transport
