package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/url"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty/function"
)

var errNotText = errors.New("the decoded bytes are not UTF-8 text, and strings are")

// encodingFunctions turn strings into other forms and back.
func encodingFunctions() map[string]function.Function {
	return map[string]function.Function{
		"base64encode": textFunction(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"base64decode": textFunction(func(s string) (string, error) {
			decoded, err := base64.StdEncoding.DecodeString(s)
			if err == nil && !utf8.Valid(decoded) {
				err = errNotText
			}
			return string(decoded), err
		}),
		"urlencode":    textFunction(func(s string) (string, error) { return url.QueryEscape(s), nil }),
		"md5":          hashFunction(md5.New, hex.EncodeToString),
		"sha1":         hashFunction(sha1.New, hex.EncodeToString),
		"sha256":       hashFunction(sha256.New, hex.EncodeToString),
		"sha512":       hashFunction(sha512.New, hex.EncodeToString),
		"base64sha256": hashFunction(sha256.New, base64.StdEncoding.EncodeToString),
		"base64sha512": hashFunction(sha512.New, base64.StdEncoding.EncodeToString),
	}
}

func hashFunction(algorithm func() hash.Hash, encode func([]byte) string) function.Function {
	return textFunction(func(s string) (string, error) {
		h := algorithm()
		h.Write([]byte(s))
		return encode(h.Sum(nil)), nil
	})
}
