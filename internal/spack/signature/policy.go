package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxMessage is the size in bytes up to which messages are read. The largest that
// Spack signs are spec files of a few hundred kilobytes.
const MaxMessage = 16 << 20

// Sentinels for errors.Is.
var (
	// ErrUnsigned says that a message has no signature where one is demanded.
	ErrUnsigned = errors.New("not signed")
	// ErrUntrusted says that a message is signed, by nobody who is trusted.
	ErrUntrusted = errors.New("signed by a key that is not trusted")
	// ErrBad says that a signature does not fit its message, or is malformed.
	ErrBad = errors.New("bad signature")
)

// Mode is how strictly signatures are looked at.
type Mode int

const (
	// Ignore takes every message as it is.
	Ignore Mode = iota
	// Verify takes unsigned messages, but no signature that is bad or untrusted.
	Verify
	// Require takes only messages with a good signature of a trusted key.
	Require
)

// ParseMode reads what String writes.
func ParseMode(s string) (Mode, error) {
	for _, m := range []Mode{Ignore, Verify, Require} {
		if s == m.String() {
			return m, nil
		}
	}
	return 0, fmt.Errorf("signature policy %q is not known; use none, verify or require", s)
}

// String gives the name users write: none, verify or require.
func (m Mode) String() string {
	switch m {
	case Verify:
		return "verify"
	case Require:
		return "require"
	default:
		return "none"
	}
}

// Policy says which messages are accepted. The zero value accepts all.
type Policy struct {
	Mode Mode
	Keys *Keyring         // the trusted keys
	Now  func() time.Time // decides which keys have expired; nil: the system's clock
}

// Message is what a text turned out to be.
type Message struct {
	// Content is what was signed, or the whole text when it is not signed.
	Content []byte
	Signed  bool
	// Signer is the fingerprint of the key, in upper case, once its signature was
	// found to be good; "" as long as nobody checked.
	Signer string
}

const beginMessage = "-----BEGIN PGP SIGNED MESSAGE-----"

// IsSigned tells whether text claims to be a clear signed message. Like Spack it
// looks at the very first line.
func IsSigned(text []byte) bool { return bytes.HasPrefix(text, []byte(beginMessage)) }

// Open takes a text out of its signature, if it has one, and checks that by the policy.
// Errors wrap [ErrUnsigned], [ErrUntrusted] or [ErrBad].
func (p Policy) Open(text []byte) (Message, error) {
	if len(text) > MaxMessage {
		return Message{}, fmt.Errorf("%w: the message is larger than %d bytes", ErrBad, MaxMessage)
	}
	if !IsSigned(text) {
		if p.Mode == Require {
			return Message{}, fmt.Errorf("%w, and the policy demands a signature of %s", ErrUnsigned, p.Keys.describe())
		}
		return Message{Content: text}, nil
	}
	block, rest := clearsign.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		// Anything behind the signature would be for readers that look for the
		// first brace, or for the last: what is signed must be all there is.
		return Message{}, fmt.Errorf("%w: it is not one whole clear signed message (is it cut short?)", ErrBad)
	}
	msg := Message{Content: block.Plaintext, Signed: true}
	if p.Mode == Ignore {
		return msg, nil
	}
	signer, err := p.check(block)
	msg.Signer = signer
	return msg, err
}

// check verifies the signature of a message against the trusted keys.
func (p Policy) check(block *clearsign.Block) (string, error) {
	armored, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, MaxMessage))
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrBad, err)
	}
	signer, err := openpgp.CheckDetachedSignature(p.Keys.entities(), bytes.NewReader(block.Bytes),
		bytes.NewReader(armored), &packet.Config{Time: p.Now})
	switch {
	case err == nil:
		return fingerprint(signer), nil
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "", fmt.Errorf("%w: its key is %s, trusted is %s", ErrUntrusted, issuer(armored), p.Keys.describe())
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "", fmt.Errorf("%w: key %s has expired, or is from the future by this clock; extend it and use the new public key", ErrUntrusted, issuer(armored))
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "", fmt.Errorf("%w: key %s was revoked", ErrUntrusted, issuer(armored))
	}
	return "", fmt.Errorf("%w: %v", ErrBad, err)
}

// issuer names the key that a signature says it was made with.
func issuer(signature []byte) string {
	p, err := packet.Read(bytes.NewReader(signature))
	sig, ok := p.(*packet.Signature)
	switch {
	case err != nil || !ok:
		return "unknown"
	case len(sig.IssuerFingerprint) > 0:
		return strings.ToUpper(fmt.Sprintf("%x", sig.IssuerFingerprint))
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return "unknown"
}
