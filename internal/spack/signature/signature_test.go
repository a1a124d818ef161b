package signature

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// newKey makes a key and writes it to a file.
func newKey(t testing.TB, name, passphrase string) (file string, ring *Keyring) {
	t.Helper()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	e, err := openpgp.NewEntity(name, "", name+"@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	if err := e.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	if ring, err = ParseKeyring(public.Bytes()); err != nil {
		t.Fatal(err)
	}
	if passphrase != "" {
		if err := e.EncryptPrivateKeys([]byte(passphrase), config); err != nil {
			t.Fatal(err)
		}
	}
	var secret bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&secret, openpgp.PrivateKeyType, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SerializePrivateWithoutSigning(w, config); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "secret.asc")
	if err := os.WriteFile(file, secret.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, ring
}

func mustSigner(t testing.TB, file string) *Signer {
	t.Helper()
	s, err := LoadSigner(KeySource{File: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const text = "{\n\"version\":3,\n- dashes\nspaces  \n}"

func TestMessagesAreOpenedByThePolicy(t *testing.T) {
	t.Parallel()
	file, ring := newKey(t, "builder", "")
	_, other := newKey(t, "stranger", "")
	signed, err := mustSigner(t, file).Clearsign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tampered := bytes.Replace(signed, []byte("version\":3"), []byte("version\":4"), 1)
	for name, test := range map[string]struct {
		policy  Policy
		message []byte
		want    error
	}{
		"a trusted signature is accepted where one is demanded":  {Policy{Mode: Require, Keys: ring}, signed, nil},
		"a trusted signature is accepted where it is looked at":  {Policy{Mode: Verify, Keys: ring}, signed, nil},
		"a signature that nobody looks at is accepted":           {Policy{}, tampered, nil},
		"an unsigned text is refused where one is demanded":      {Policy{Mode: Require, Keys: ring}, []byte(text), ErrUnsigned},
		"an unsigned text is accepted where none is demanded":    {Policy{Mode: Verify, Keys: ring}, []byte(text), nil},
		"a changed text is refused":                              {Policy{Mode: Verify, Keys: ring}, tampered, ErrBad},
		"a key that is not named is not trusted":                 {Policy{Mode: Verify, Keys: other}, signed, ErrUntrusted},
		"no key is trusted when none is named":                   {Policy{Mode: Require}, signed, ErrUntrusted},
		"a text behind the signature is refused":                 {Policy{Mode: Verify, Keys: ring}, append(bytes.Clone(signed), "{}\n"...), ErrBad},
		"a text behind the signature is refused by every policy": {Policy{}, append(bytes.Clone(signed), "{}\n"...), ErrBad},
		"a message that is cut short is refused":                 {Policy{Mode: Verify, Keys: ring}, signed[:len(signed)-60], ErrBad},
		"a key whose time has not come is not trusted": {Policy{Mode: Verify, Keys: ring, Now: func() time.Time { return time.Unix(1_600_000_000, 0) }},
			signed, ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg, err := test.policy.Open(test.message)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil && test.policy.Mode != Ignore && msg.Signed && msg.Signer != ring.Fingerprints()[0] {
				t.Errorf("signer %q", msg.Signer)
			}
		})
	}
}

func TestPassphrasesComeFromTheEnvironmentAndAreNeverShown(t *testing.T) {
	file, ring := newKey(t, "locked", "correct horse")
	if _, err := LoadSigner(KeySource{File: file}, nil); !errors.Is(err, ErrNoSecretKey) || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("without: %v", err)
	}
	t.Setenv("ESD_TEST_PASSPHRASE", "wrong horse")
	_, err := LoadSigner(KeySource{File: file, PassphraseEnv: "ESD_TEST_PASSPHRASE"}, nil)
	if !errors.Is(err, ErrNoSecretKey) || strings.Contains(err.Error(), "horse") {
		t.Errorf("wrong: %v", err)
	}
	t.Setenv("ESD_TEST_PASSPHRASE", "correct horse")
	s, err := LoadSigner(KeySource{File: file, PassphraseEnv: "ESD_TEST_PASSPHRASE", Fingerprint: ring.Fingerprints()[0][30:]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != "key "+ring.Fingerprints()[0] {
		t.Errorf("prints as %q", got)
	}
	if _, err := LoadSigner(KeySource{File: file, Fingerprint: "ABCD"}, nil); !errors.Is(err, ErrNoSecretKey) {
		t.Errorf("another key: %v", err)
	}
}

func TestPublicKeysAreNoSigners(t *testing.T) {
	t.Parallel()
	secret, _ := newKey(t, "k", "")
	public, err := mustSigner(t, secret).PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "public.asc")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSigner(KeySource{File: file}, nil); !errors.Is(err, ErrNoSecretKey) {
		t.Errorf("got %v", err)
	}
	if ring, err := ReadKeyring(file); err != nil || len(ring.Fingerprints()) != 1 {
		t.Errorf("ring %v, %v", ring.Fingerprints(), err)
	}
}

func TestGnuPGAcceptsWhatIsSigned(t *testing.T) {
	t.Parallel()
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		t.Skip("gpg is not installed")
	}
	home, err := os.MkdirTemp("", "gpg") // short: it has sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	file, _ := newKey(t, "builder", "")
	s := mustSigner(t, file)
	public, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	gpgRun := func(stdin []byte, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), gpg, append([]string{"--homedir", home, "--batch", "--no-tty"}, args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
		return cmd.CombinedOutput()
	}
	if out, err := gpgRun(public, "--import"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The length of the signature decides about the padding of its base64, which
	// decides whether gpg 2.2 misses a checksum: try several.
	for i := range 8 {
		signed, err := s.Clearsign([]byte(strings.Repeat(text, i+1)))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := gpgRun(signed, "--verify"); err != nil {
			t.Errorf("gpg refuses: %v\n%s\n%s", err, out, signed)
		}
	}
}

func FuzzOpen(f *testing.F) {
	file, ring := newKey(f, "builder", "")
	signed, err := mustSigner(f, file).Clearsign([]byte(text))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(text))
	f.Add([]byte(beginMessage + "\nHash: SHA512\n\n{}\n" + "-----BEGIN PGP SIGNATURE-----\n\n" + "-----END PGP SIGNATURE-----" + "\n"))
	policy := Policy{Mode: Require, Keys: ring}
	plain, err := policy.Open(signed)
	if err != nil {
		f.Fatal(err)
	}
	canonical := func(b []byte) string {
		lines := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " \t\r")
		}
		return strings.Join(lines, "\n")
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		msg, err := policy.Open(message)
		if err == nil && canonical(msg.Content) != canonical(plain.Content) {
			t.Errorf("accepted %q", msg.Content)
		}
	})
}
