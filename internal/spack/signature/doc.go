// Package signature checks and makes the OpenPGP signatures of build caches: clear
// signed messages, as "gpg --clearsign" writes them and Spack has them verified.
//
// A message is trusted by a [Policy]: only keys that the user names count, whatever
// a key server, a cache or the keyring of gpg says. Secret keys are read from a file,
// their passphrase from an environment variable; neither is ever printed.
//
// The format is that of RFC 9580, section 7 (cleartext signature framework). What is
// made here is accepted by GnuPG 2.2 and later.
package signature
