package signature

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// maxKeyFile bounds files of keys; one key has a few kilobytes.
const maxKeyFile = 4 << 20

// Keyring is a set of public keys. A nil Keyring is empty.
type Keyring struct{ keys openpgp.EntityList }

// ReadKeyring reads public keys from files, armored or binary, as gpg --export
// writes them.
func ReadKeyring(files ...string) (*Keyring, error) {
	ring := &Keyring{}
	for _, name := range files {
		text, err := readLimited(name)
		if err != nil {
			return nil, fmt.Errorf("reading trusted keys: %w", err)
		}
		more, err := ParseKeyring(text)
		if err != nil {
			return nil, fmt.Errorf("reading trusted keys: %s: %w", name, err)
		}
		ring.keys = append(ring.keys, more.keys...)
	}
	return ring, nil
}

// ParseKeyring reads public keys, armored or binary.
func ParseKeyring(text []byte) (*Keyring, error) {
	keys, err := parseKeys(text)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("there is no public key in it")
	}
	return &Keyring{keys: keys}, nil
}

// Fingerprints lists the keys, in upper case.
func (k *Keyring) Fingerprints() []string {
	var all []string
	for _, e := range k.entities() {
		all = append(all, fingerprint(e))
	}
	return all
}

func (k *Keyring) entities() openpgp.EntityList {
	if k == nil {
		return nil
	}
	return k.keys
}

func (k *Keyring) describe() string {
	if all := k.Fingerprints(); len(all) > 0 {
		return strings.Join(all, ", ")
	}
	return "no key: name the files of the public keys that are trusted"
}

func parseKeys(text []byte) (openpgp.EntityList, error) {
	if bytes.Contains(text, []byte("-----BEGIN PGP")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(text))
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(fmt.Sprintf("%x", e.PrimaryKey.Fingerprint))
}

func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s is larger than %d bytes, too large for keys", name, maxKeyFile)
	}
	return text, err
}
