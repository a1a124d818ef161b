// Package register makes a state backend of any place that can compare and
// swap one small document, such as an object store with conditional writes or a
// table of a database.
//
// That document, the head, says everything that has to change together: who
// holds the lock, under which fencing number, and which version of the state
// is the present one. Versions of the state are documents of their own that
// are written once, compressed, before the head points at them. Taking the
// lock, renewing its lease, writing a state and giving the lock back are each
// one swap of the head. So a holder that lost its lock cannot write: the head
// that it compares with is not there any more. There is no moment in between.
package register

import (
	"context"
	"errors"
)

// ErrChanged: the head is not, or no longer, the one that was compared with;
// nothing was swapped.
var ErrChanged = errors.New("the head was changed by somebody else")

// Store is what a place must be able to do. Errors are those of the place, or
// a *backend.UnreachableError with advice. Its methods may be called from
// several goroutines.
type Store interface {
	// Location is the URL or path of the state, for people: without secrets.
	Location() string

	// Load returns the head and its version, nil and "" where there is none. It
	// must show every swap that has succeeded before.
	Load(ctx context.Context) (head []byte, version string, err error)

	// Swap replaces the head of a version ("" for none) and returns the next
	// version. If the head has another one by then it returns ErrChanged. An
	// error of which it is not known whether the swap was carried out is a
	// *backend.UnreachableError with Doubt; the caller then looks, and swaps
	// again where that helps. So a Store repeats a swap by itself only if it was
	// surely not carried out. No two heads are ever alike, so a version may be
	// made of what the head says.
	Swap(ctx context.Context, version string, head []byte) (next string, err error)

	// Put writes a document that is not there yet. Writing the same again is no
	// error. Names have letters, digits, points and dashes.
	Put(ctx context.Context, name string, data []byte) error

	// Get returns a document, fs.ErrNotExist where there is none.
	Get(ctx context.Context, name string) ([]byte, error)

	// Delete removes a document; one that is not there is no error.
	Delete(ctx context.Context, name string) error
}

// Sessions is a Store that knows at once when the process of a holder is gone,
// as a database does when a connection ends. It is a shortcut: where Gone never
// says so, the lease does.
type Sessions interface {
	Store

	// Begin marks this client as one with a fencing number, until the returned
	// function is called or the client is gone. It is called before the swap
	// that gives the lock to that number, so that a holder without mark is surely
	// gone. Clients that contend for the lock mark the same number at the same
	// time, and those that do not get it end their marks; so a mark is a shared
	// one, and Begin does not wait for others.
	Begin(ctx context.Context, fence int64) (end func(), err error)

	// Gone reports that surely no client is marked with the fencing number.
	Gone(ctx context.Context, fence int64) (bool, error)
}

// Lister is a Store that can say which documents it has. Those that writers
// left behind which were killed are then swept away.
type Lister interface {
	Store

	// List returns the names of all documents, in any order. Names that Put was
	// never given may be among them.
	List(ctx context.Context) ([]string, error)
}

// Prober is a Store of which it is not sure that it keeps to its contract, as
// there are servers that accept conditions and do not look at them.
type Prober interface {
	Store

	// Probe returns a *backend.UntrustedError if a swap may succeed although the
	// head has another version. It is called before each taking of a lock.
	Probe(ctx context.Context) error
}
