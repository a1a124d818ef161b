package recipe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"esd/internal/archive"
	"esd/internal/providers"
)

// maxDownload bounds a source archive, in bytes.
const maxDownload = 16 << 30

// bringSource puts a writable copy of the source into dir and makes sure that
// it is what the plan was made from.
func (j *job) bringSource(ctx context.Context, dir string) error {
	s := j.step.Source
	switch {
	case s.Path != "":
		return copySource(ctx, s, dir)
	case s.URL != "":
		file, err := j.download(ctx, s)
		if err != nil {
			return err
		}
		return unpackSource(ctx, file, digest.NewDigestFromEncoded(digest.SHA256, s.SHA256), dir)
	case s.Git != "":
		return j.checkout(ctx, s, dir)
	}
	return nil
}

// copySource copies a directory. The copy is digested, not the original, so
// that a change in between cannot slip through.
func copySource(ctx context.Context, s source, dir string) error {
	if err := archive.CopyTree(ctx, s.Path, dir, archive.CopyOptions{MTime: time.Unix(sourceDateEpoch, 0)}); err != nil {
		return fmt.Errorf("copying the source: %w", err)
	}
	tree, err := archive.HashTree(ctx, dir, archive.HashOptions{})
	if err != nil {
		return err
	}
	if tree.Digest != s.TreeDigest {
		return fmt.Errorf("the source %s has changed since the plan was made: plan again", s.Path)
	}
	return nil
}

func unpackSource(ctx context.Context, file string, want digest.Digest, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = archive.Unpack(ctx, f, archive.UnpackOptions{Dest: dir, StripTop: true, Expect: want})
	return err
}

// download brings an archive into the working data, once for each checksum.
func (j *job) download(ctx context.Context, s source) (string, error) {
	file := filepath.Join(j.provider.opts.WorkDir, "sources", s.SHA256)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	lock, err := lockFile(ctx, file+".lock", s.URL) // recipes can share a source
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if sum, err := archive.HashFile(ctx, file); err == nil && sum == "sha256:"+s.SHA256 {
		return file, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), s.SHA256+".part-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	fmt.Fprintf(j.run.Log, "esd: downloading %s\n", s.URL)
	sum := sha256.New()
	if err := j.copyURL(ctx, s.URL, io.MultiWriter(tmp, sum)); err != nil {
		return "", fmt.Errorf("downloading %s: %w", s.URL, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != s.SHA256 {
		return "", fmt.Errorf("%s has sha256 %s, but %s is configured: the file was changed, or the checksum is wrong; "+
			"find out which before you change either", s.URL, got, s.SHA256)
	}
	if err := errors.Join(tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), file)); err != nil {
		return "", err
	}
	return file, nil
}

// copyURL writes what a URL delivers. Only failures whose cause may go away
// are worth another try.
func (j *job) copyURL(ctx context.Context, address string, w io.Writer) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme == "file" {
		f, err := os.Open(u.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer stall.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "esd")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return again(ctx, withoutQuery(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("the server answers %s", resp.Status)
		if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
			return &providers.RetryError{Err: err}
		}
		return err
	}
	body := &progressReader{r: resp.Body, total: max(resp.ContentLength, 0), tell: func(done, total int64) {
		stall.Reset(stallTimeout)
		j.run.Progress(done, total)
	}}
	n, err := io.Copy(w, io.LimitReader(body, maxDownload))
	switch {
	case err != nil:
		return again(ctx, err)
	case n == maxDownload:
		return fmt.Errorf("it is larger than %d bytes", int64(maxDownload))
	}
	return nil
}

// withoutQuery takes the parameters out of the address that an error names: a
// server may have sent us on to a signed one, whose signature is a secret.
func withoutQuery(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	shown := "the address"
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		shown = u.String()
	}
	return &url.Error{Op: failed.Op, URL: shown, Err: failed.Err}
}

// stallTimeout is how long a server may send nothing before it is given up.
const stallTimeout = 2 * time.Minute

var errStalled = errors.New("the server sent nothing for two minutes")

// again marks a failure of the network, which may go away; a certificate that
// is not trusted will not.
func again(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return err
	}
	return &providers.RetryError{Err: err}
}

// progressReader tells how much was read.
type progressReader struct {
	r           io.Reader
	done, total int64
	told        time.Time
	tell        func(done, total int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if now := time.Now(); p.tell != nil && now.Sub(p.told) > 100*time.Millisecond {
		p.told = now
		p.tell(p.done, p.total)
	}
	return n, err
}
