// Package registertest is what tests of stores for package register share: a
// store in memory, documents planted past the backend, and the suite that every
// store has to pass.
package registertest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"sync"

	"esd/internal/state/backend/register"
)

// Memory is a store in memory. The zero value is empty. It may be used by
// several goroutines, and by several backends at once.
type Memory struct {
	// Swapped, if set, is called after each swap, in their order.
	Swapped func(head []byte)

	mu        sync.Mutex
	head      []byte
	version   int
	documents map[string][]byte
	marks     map[int64]int
}

var (
	_ register.Sessions = (*Memory)(nil)
	_ register.Lister   = (*Memory)(nil)
)

// Location implements register.Store.
func (m *Memory) Location() string { return "memory" }

// Load implements register.Store.
func (m *Memory) Load(ctx context.Context) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.head == nil {
		return nil, "", ctx.Err()
	}
	return m.head, strconv.Itoa(m.version), ctx.Err()
}

// Swap implements register.Store.
func (m *Memory) Swap(ctx context.Context, version string, head []byte) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	present := ""
	if m.head != nil {
		present = strconv.Itoa(m.version)
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case version != present:
		return "", register.ErrChanged
	}
	m.head = bytes.Clone(head)
	m.version++
	if m.Swapped != nil {
		m.Swapped(m.head)
	}
	return strconv.Itoa(m.version), nil
}

// Put implements register.Store.
func (m *Memory) Put(ctx context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.documents == nil {
		m.documents = map[string][]byte{}
	}
	if ctx.Err() == nil {
		m.documents[name] = bytes.Clone(data)
	}
	return ctx.Err()
}

// Get implements register.Store.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.documents[name]
	if !ok {
		return nil, fmt.Errorf("document %s: %w", name, fs.ErrNotExist)
	}
	return bytes.Clone(data), ctx.Err()
}

// Delete implements register.Store.
func (m *Memory) Delete(ctx context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil {
		delete(m.documents, name)
	}
	return ctx.Err()
}

// List implements register.Lister.
func (m *Memory) List(ctx context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.documents)), ctx.Err()
}

// Begin implements register.Sessions.
func (m *Memory) Begin(ctx context.Context, fence int64) (func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks == nil {
		m.marks = map[int64]int{}
	}
	m.marks[fence]++
	return sync.OnceFunc(func() { m.End(fence) }), ctx.Err()
}

// End takes one mark of a fencing number away, as the end of its client does.
func (m *Memory) End(fence int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks[fence]--
}

// Gone implements register.Sessions.
func (m *Memory) Gone(ctx context.Context, fence int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[fence] <= 0, ctx.Err()
}

// Plain is a store without anything that it need not have.
func Plain(s register.Store) register.Store { return struct{ register.Store }{s} }
