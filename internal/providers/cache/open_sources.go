package cache

import (
	"fmt"
	"sync"

	"esd/internal/spack/mirror"
	"esd/internal/spack/transport"
)

// SourcesOpener opens source mirrors, each once. The zero value can be used.
type SourcesOpener struct {
	mu   sync.Mutex
	open map[Sources]*mirror.Mirror
}

// Open gives the mirror that the settings describe. Nothing is connected to before it
// is needed.
func (o *SourcesOpener) Open(s Sources) (*mirror.Mirror, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := o.open[s]; m != nil {
		return m, nil
	}
	store, err := transport.Open(s.URL, s.Access.transport())
	if err != nil {
		return nil, fmt.Errorf("cache %q: %w", s.Name, err)
	}
	if o.open == nil {
		o.open = map[Sources]*mirror.Mirror{}
	}
	o.open[s] = mirror.New(store, s.Push)
	return o.open[s], nil
}
