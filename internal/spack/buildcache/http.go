package buildcache

// HTTPOptions say how http(s):// caches are reached.
type HTTPOptions struct{}

// S3Options say how s3:// caches are reached.
type S3Options struct{}
