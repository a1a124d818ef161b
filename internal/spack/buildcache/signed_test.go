package buildcache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"esd/internal/spack/signature"
)

// newSigner makes a key for signing, and the ring that trusts it.
func newSigner(t *testing.T, name string) (*signature.Signer, *signature.Keyring) {
	t.Helper()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}
	e, err := openpgp.NewEntity(name, "", name+"@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	var secret, public bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secret, config); err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, secret.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := signature.LoadSigner(signature.KeySource{File: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signature.ParseKeyring(public.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s, ring
}

func TestSignaturesDecideWhatIsUsable(t *testing.T) {
	t.Parallel()
	signer, ring := newSigner(t, "builder")
	_, stranger := newSigner(t, "stranger")
	for name, layout := range map[string]Layout{"version 2": V2, "version 3": V3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := toyFor(t, layout, "app", "1.0")
			all := specsOf(s)
			dir := t.TempDir()
			mustPush(t, mustOpen(t, dir, Options{Layout: layout, Signer: signer}), s, all, "archive")
			usable := func(mode signature.Mode, keys *signature.Keyring) (Entry, error) {
				c := mustOpen(t, dir, Options{Trust: signature.Policy{Mode: mode, Keys: keys}})
				e, there := mustLookup(t, c, LookupOptions{}, s)[s.Hash]
				if !there {
					t.Fatal("not found")
				}
				return e, e.Problem
			}
			if e, err := usable(signature.Require, ring); err != nil || e.Signer != signer.Fingerprint() {
				t.Errorf("signed by a trusted key: %+v, %v", e, err)
			}
			if _, err := usable(signature.Verify, stranger); !errors.Is(err, signature.ErrUntrusted) {
				t.Errorf("signed by another key: %v", err)
			}
			if keys, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"+signer.Fingerprint()+"*")); err != nil || len(keys) != 1 {
				keys, _ = filepath.Glob(filepath.Join(dir, "*", "*", "key", "*"+signer.Fingerprint()+"*"))
				if len(keys) != 1 {
					t.Errorf("the public key is not published: %v", keys)
				}
			}
			// The same package again, by somebody without a key.
			bare := mustOpen(t, dir, Options{})
			if _, err := bare.Push(t.Context(), PushRequest{Spec: s, Specs: all, Archive: archiveOf("changed"), Force: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := usable(signature.Require, ring); !errors.Is(err, signature.ErrUnsigned) && !errors.Is(err, ErrNotFound) {
				t.Errorf("unsigned where a signature is demanded: %v", err)
			}
			if _, err := usable(signature.Verify, ring); err != nil {
				t.Errorf("unsigned where none is demanded: %v", err)
			}
		})
	}
}

func TestAChangedManifestIsRefused(t *testing.T) {
	t.Parallel()
	signer, ring := newSigner(t, "builder")
	for name, layout := range map[string]Layout{"version 2": V2, "version 3": V3} {
		s := toyFor(t, layout, "app", "1.0")
		dir := t.TempDir()
		e := mustPush(t, mustOpen(t, dir, Options{Layout: layout, Signer: signer}), s, specsOf(s), "archive")
		file := e.ref
		if layout == V3 {
			file = e.key.v3Manifest()
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(e.Archive.SHA256), []byte(archiveOf("evil").SHA256))
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
		c := mustOpen(t, dir, Options{Trust: signature.Policy{Mode: signature.Verify, Keys: ring}})
		found := mustLookup(t, c, LookupOptions{}, s)
		if err := found[s.Hash].Problem; !errors.Is(err, signature.ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignaturesCannotBeDemandedOfRegistries(t *testing.T) {
	t.Parallel()
	_, ring := newSigner(t, "builder")
	url, opts := newRegistryPlace(t)
	s := toy(t, "app", "1.0")
	mustPush(t, mustOpen(t, url, opts), s, specsOf(s), gzipped(t, "archive"))
	opts.Trust = signature.Policy{Mode: signature.Require, Keys: ring}
	found := mustLookup(t, mustOpen(t, url, opts), LookupOptions{}, s)
	if err := found[s.Hash].Problem; !errors.Is(err, signature.ErrUnsigned) {
		t.Errorf("got %v", err)
	}
}
