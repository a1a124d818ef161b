// Package oci holds everything esd knows about OCI artifacts: references, layouts
// on disk, registries, the assembly of an image from layers, and publishing.
//
// There is one interface, [Store], for a repository of a registry and for a layout
// directory, so everything above it (the artifact cache, the image provider) treats
// both alike. Nothing here needs a container runtime, a daemon or root.
//
// The oras library is an implementation detail of the registry store: no exported
// name mentions its types. Formats follow the OCI image specification 1.1 and the
// OCI distribution specification 1.1.
package oci
