// Package command drives a real Spack: it finds or clones one, gives it a
// configuration of its own, lets it concretize, build one concrete package at
// a time, and say which sources that needs.
//
// Spack runs as a separate process, always with its own configuration scope,
// environment directory and variables: nothing of the user who runs it takes
// part. Packages are built by Spack's "old" installer, one process a package:
// it locks single prefixes of a store, so that any number of processes may
// build into one (spack/installer.py; the new installer locks the store as a
// whole). Everything works alike with Spack 0.23 and 1.x.
package command
