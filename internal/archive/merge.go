package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// MergeOptions say which archives become one.
type MergeOptions struct {
	// Archives are read one after the other, to their ends. They must have been
	// written by [Pack] or [PackFiles], and must not have files in common.
	Archives    []func() (io.ReadCloser, error)
	Compression Compression
	MTime       time.Time // of directories that several archives have
}

// Merge writes several archives to w as one OCI layer, or one archive with
// another compression. Entries keep their order; of directories that several
// archives have, the first is kept. The result depends on the contents of the
// archives and their order alone.
func Merge(ctx context.Context, w io.Writer, opts MergeOptions) (Summary, error) {
	lw, err := newLayerWriter(ctx, w, writerOptions{Compression: opts.Compression, MTime: opts.MTime})
	if err != nil {
		return Summary{}, err
	}
	written := map[string]bool{}
	for _, open := range opts.Archives {
		if err := lw.merge(open, written); err != nil {
			lw.abandon()
			return Summary{}, fmt.Errorf("merging archives: %w", err)
		}
	}
	return lw.finish()
}

// merge adds the entries of one archive.
func (w *layerWriter) merge(open func() (io.ReadCloser, error), written map[string]bool) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	buffered := bufio.NewReaderSize(contextReader{w.ctx, r}, copyBuffer)
	head, _ := buffered.Peek(blockSize) // an error comes again with the first read
	plain, err := decompress(buffered, detect(head))
	if err != nil {
		return err
	}
	defer plain.Close()
	tr := tar.NewReader(plain)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			// The rest is padding, but a reader that verifies does so at its end.
			_, err = io.CopyBuffer(onlyWriter{io.Discard}, plain, w.copyBuf)
			if err == nil {
				_, err = io.CopyBuffer(onlyWriter{io.Discard}, r, w.copyBuf)
			}
			return err
		}
		if err != nil {
			return err
		}
		if err := w.mergeEntry(tr, h, written); err != nil {
			return err
		}
	}
}

func (w *layerWriter) mergeEntry(r io.Reader, h *tar.Header, written map[string]bool) error {
	name, err := cleanMember(strings.TrimSuffix(h.Name, "/"))
	if err != nil {
		return err
	}
	isDir := h.Typeflag == tar.TypeDir
	if written[name] {
		if isDir {
			return nil
		}
		return fmt.Errorf("%s is in more than one of them", name)
	}
	written[name] = true
	if !isDir {
		w.files++
	}
	if err := w.header(&tar.Header{Typeflag: h.Typeflag, Name: h.Name, Linkname: h.Linkname, Mode: h.Mode, Size: h.Size}); err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{w.tar}, r, w.copyBuf)
	return err
}
