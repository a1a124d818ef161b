package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrNoSecretKey says that a key cannot sign: it is public only, locked, or expired.
var ErrNoSecretKey = errors.New("no usable secret key")

// KeySource says where a secret key is.
type KeySource struct {
	File string // armored or binary, as gpg --export-secret-keys writes it
	// PassphraseEnv names the environment variable with the passphrase; "" when the
	// key has none.
	PassphraseEnv string
	Fingerprint   string // or its last digits, when the file has several keys
}

// Signer signs with one key. It prints without its secret.
type Signer struct {
	key *openpgp.Entity
	now func() time.Time
}

// LoadSigner reads a secret key and unlocks it. now dates the signatures; nil is the
// system's clock.
func LoadSigner(src KeySource, now func() time.Time) (*Signer, error) {
	text, err := readLimited(src.File)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	fail := func(format string, args ...any) (*Signer, error) {
		return nil, fmt.Errorf("signing key %s: %w: %s", src.File, ErrNoSecretKey, fmt.Sprintf(format, args...))
	}
	keys, err := parseKeys(text)
	if err != nil {
		return fail("%v", err)
	}
	entity, err := pickKey(keys, src.Fingerprint)
	if err != nil {
		return fail("%v", err)
	}
	if err := unlock(entity, src.PassphraseEnv); err != nil {
		return fail("%v", err)
	}
	if now == nil {
		now = time.Now
	}
	if _, ok := entity.SigningKey(now()); !ok {
		return fail("key %s cannot sign: it has expired, was revoked, or is for other uses", fingerprint(entity))
	}
	return &Signer{key: entity, now: now}, nil
}

// pickKey finds the key that is meant among those of a file.
func pickKey(keys openpgp.EntityList, wanted string) (*openpgp.Entity, error) {
	wanted = strings.ToUpper(strings.ReplaceAll(wanted, " ", ""))
	var found []*openpgp.Entity
	var names []string
	for _, e := range keys {
		if e.PrivateKey != nil && strings.HasSuffix(fingerprint(e), wanted) {
			found = append(found, e)
			names = append(names, fingerprint(e))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, errors.New("no such secret key is in the file (gpg --armor --export-secret-keys writes one)")
	}
	return nil, fmt.Errorf("it has %d secret keys, say which: %s", len(found), strings.Join(names, ", "))
}

// unlock decrypts the key and its subkeys.
func unlock(e *openpgp.Entity, env string) error {
	locked := e.PrivateKey.Encrypted
	for _, sub := range e.Subkeys {
		locked = locked || sub.PrivateKey != nil && sub.PrivateKey.Encrypted
	}
	if !locked {
		return nil
	}
	if env == "" {
		return errors.New("it has a passphrase: name the environment variable that holds it")
	}
	passphrase, ok := os.LookupEnv(env)
	if !ok {
		return fmt.Errorf("it has a passphrase, and the environment variable %s is not set", env)
	}
	if err := e.DecryptPrivateKeys([]byte(passphrase)); err != nil {
		return fmt.Errorf("the passphrase in %s does not fit", env)
	}
	return nil
}

// Fingerprint names the key, in upper case.
func (s *Signer) Fingerprint() string { return fingerprint(s.key) }

// String implements fmt.Stringer without the secret.
func (s *Signer) String() string { return "key " + s.Fingerprint() }

// GoString implements fmt.GoStringer without the secret.
func (s *Signer) GoString() string { return "signature.Signer(" + s.Fingerprint() + ")" }

// PublicKey gives the armored public key, for a cache to publish.
func (s *Signer) PublicKey() ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PublicKeyType, nil, true)
	if err != nil {
		return nil, err
	}
	if err := s.key.Serialize(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Clearsign signs a text.
func (s *Signer) Clearsign(text []byte) ([]byte, error) {
	now := s.now()
	key, ok := s.key.SigningKey(now)
	if !ok || key.PrivateKey == nil {
		return nil, fmt.Errorf("%s: %w: it cannot sign (any more)", s, ErrNoSecretKey)
	}
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, key.PrivateKey, &packet.Config{
		DefaultHash: crypto.SHA512, Time: func() time.Time { return now },
	})
	if err != nil {
		return nil, fmt.Errorf("%s: signing: %w", s, err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("%s: signing: %w", s, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("%s: signing: %w", s, err)
	}
	return addChecksum(b.Bytes())
}

// addChecksum writes the armor of the signature anew, with a CRC24 and a line end.
// RFC 9580 calls the checksum obsolete and the library leaves it out, but GnuPG 2.2
// exits with an error when it is missing and the base64 has no padding (T7071).
func addChecksum(message []byte) ([]byte, error) {
	block, _ := clearsign.Decode(message)
	at := bytes.LastIndex(message, []byte("-----BEGIN PGP SIGNATURE-----"))
	if block == nil || at < 0 {
		return nil, errors.New("signing: the message cannot be read back")
	}
	out := bytes.NewBuffer(bytes.Clone(message[:at]))
	w, err := armor.EncodeWithChecksumOption(out, openpgp.SignatureType, nil, true)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, block.ArmoredSignature.Body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
