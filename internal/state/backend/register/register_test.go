package register_test

import (
	"testing"

	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
)

func TestAStoreInMemoryIsAStore(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	registertest.Run(t, func() register.Store { return m })
}

func TestRegistersPassTheSuite(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(register.Store) register.Store{
		"a plain store":         registertest.Plain,
		"a store with sessions": func(s register.Store) register.Store { return s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, backendtest.Options{New: func(*testing.T) backendtest.Store {
				store := wrap(&registertest.Memory{})
				return backendtest.Store{
					Open:  func() backend.Backend { return register.New(store, register.Options{}) },
					Plant: func(data []byte) error { return registertest.Plant(store, data) },
					Raw:   func() ([]byte, error) { return registertest.Raw(store) },
				}
			}})
		})
	}
}
