// Package e2e holds tests of the whole program with real parts: the binary as
// it is built, real processes that are really killed, real registries, full
// disks and other users. What needs a tool or a right that is not here is
// skipped and says so; -short keeps a thin cut through everything.
//
// ESD_E2E_BINARY names a binary to test in place of the one built from this
// tree; ESD_E2E_SEED gives the random moments of a run that failed.
package e2e
