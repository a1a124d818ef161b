// Package mirror fills and reads Spack's source mirrors, which hold all that building
// packages needs to download, so that building works without a network.
//
// One mirror, a directory, is filled by [Fetch]: it is what Spack reads when it builds.
// Others, in directories, behind web servers or in S3 buckets, are asked before the
// sources' own URLs, and get what they lack where they can be written.
//
// Spack looks a source up by the digest that its recipe states, as
// _source-cache/archive/<first two characters>/<digest><extension> below the
// mirror (spack/mirrors/layout.py: default_mirror_layout, and mirror_id of
// spack/fetch_strategy.py); what comes from version control as
// _source-cache/<system>/<path>/<revision>.tar.gz. The names with packages in
// them that Spack also makes are for people, and never looked up.
package mirror
