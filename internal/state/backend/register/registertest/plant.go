package registertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"esd/internal/state"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/wire"
)

// Plant makes bytes the present version, past the backend. Whoever holds the
// lock keeps it. It serves Plant of a backendtest.Store.
func Plant(s register.Store, data []byte) error {
	packed, err := wire.Pack(data)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	return Replace(s, packed, map[string]any{"size": len(data), "sha256": hex.EncodeToString(sum[:])})
}

// Replace makes a packed document the present version, with some fields of the
// version in the head set to what a test wants them to be.
func Replace(s register.Store, packed []byte, fields map[string]any) error {
	ctx := context.Background()
	raw, version, err := s.Load(ctx)
	if err != nil {
		return err
	}
	head := map[string]any{"format_version": 1, "revision": 0, "fence": 0}
	if version != "" {
		if err := json.Unmarshal(raw, &head); err != nil {
			return err
		}
	}
	revision, _ := head["revision"].(float64)
	head["revision"] = int64(revision) + 1
	present, ok := head["state"].(map[string]any)
	if !ok {
		present = map[string]any{"lineage": state.NewID(), "serial": 0, "fence": 0}
		head["state"] = present
	}
	present["name"] = fmt.Sprintf("planted-%s.json%s", state.NewID(), wire.Extension)
	for name, value := range fields {
		present[name] = value
	}
	if err := s.Put(ctx, present["name"].(string), packed); err != nil {
		return err
	}
	if raw, err = json.Marshal(head); err != nil {
		return err
	}
	_, err = s.Swap(ctx, version, raw)
	return err
}

// Raw returns the present version as it was before it was packed, nil where
// there is none. It serves Raw of a backendtest.Store.
func Raw(s register.Store) ([]byte, error) {
	ctx := context.Background()
	raw, version, err := s.Load(ctx)
	if err != nil || version == "" {
		return nil, err
	}
	var head struct {
		State *struct{ Name string }
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.State == nil {
		return nil, err
	}
	packed, err := s.Get(ctx, head.State.Name)
	if err != nil {
		return nil, err
	}
	return wire.Unpack(packed, "planted")
}
