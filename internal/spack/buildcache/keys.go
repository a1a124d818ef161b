package buildcache

import (
	"context"
	"encoding/json"
	"strings"

	"esd/internal/spack/transport"
)

// publishKey puts the public key where "spack buildcache keys" looks for it.
func (b *v3) publishKey(ctx context.Context) error {
	if b.opts.Signer == nil {
		return nil
	}
	public, err := b.opts.Signer.PublicKey()
	if err != nil {
		return err
	}
	name := v3Keys + b.opts.Signer.Fingerprint() + v3KeySuffix
	if err := b.putSmall(ctx, name, blobOf(public, mediaKey), public); err != nil {
		return err
	}
	keys, err := listKeys(ctx, b.t, v3Keys, v3KeySuffix)
	if err != nil {
		return err
	}
	return b.putSmall(ctx, v3KeyIndex, blobOf(keys, mediaKeyIndex), keys)
}

// putSmall stores an uncompressed blob with a manifest of its own.
func (b *v3) putSmall(ctx context.Context, name string, blob Blob, text []byte) error {
	if err := b.putBlob(ctx, blob, transport.Bytes(text)); err != nil {
		return err
	}
	m := manifest{Version: 3, Data: []blobRecord{newRecord(blob, "none")}}
	return b.t.Put(ctx, name, transport.Bytes(m.encode()))
}

// listKeys makes the index of the keys in a cache, as spack gpg publish does.
func listKeys(ctx context.Context, t *transport.Store, prefix, suffix string) ([]byte, error) {
	keys := map[string]struct{}{}
	err := t.List(ctx, prefix, func(name string, _ transport.Info) error {
		if f, ok := strings.CutSuffix(strings.TrimPrefix(name, prefix), suffix); ok && isFingerprint(f) {
			keys[f] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"keys": keys})
}

func isFingerprint(s string) bool {
	return len(s) >= 32 && len(s) <= 64 && strings.Trim(s, "0123456789ABCDEF") == ""
}
