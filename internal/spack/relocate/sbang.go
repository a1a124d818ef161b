package relocate

import (
	"bytes"
	"path"
)

const (
	// ShebangLimit is the length from which on Spack takes a script's first line,
	// its end included, for too long: Linux before 5.1 read 127 bytes.
	ShebangLimit = 127
	// ShebangHead is how much of a file [Sbang] has to see: Spack gives up on
	// first lines that are longer.
	ShebangHead = 4096
)

// SbangPath is where sbang is in an install tree with that root, unpadded.
func SbangPath(root string) string { return path.Join(root, "bin", "sbang") }

// Sbang gives the beginning of a script whose first line is longer than the
// kernel reads: a line that calls sbang, and the old one as the second, behind
// the comment sign of its language. head is the beginning of the file, up to
// [ShebangHead] bytes or all of it; the first n bytes of it are replaced. The
// rules are those of filter_shebang in hooks/sbang.py.
func Sbang(head []byte, sbang string) (beginning []byte, n int, err error) {
	if !bytes.HasPrefix(head, []byte("#!")) {
		return nil, 0, nil
	}
	line := head[:min(len(head), ShebangHead)]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end+1]
	}
	call := append([]byte("#!/bin/sh "), sbang...)
	call = append(call, '\n')
	switch {
	case len(line) <= ShebangLimit, len(line) == ShebangHead:
		return nil, 0, nil
	case interpreter(line) == nil:
		return nil, 0, nil
	case len(sbang) > ShebangLimit:
		return nil, 0, &SbangPathError{sbang}
	case bytes.Equal(line, call):
		return nil, 0, nil
	}
	switch i := interpreter(line); {
	case bytes.HasSuffix(i, []byte("/lua")), bytes.HasSuffix(i, []byte("/luajit")):
		return append(append(call, "--!"...), line[2:]...), len(line), nil
	case bytes.HasSuffix(i, []byte("/node")):
		return append(append(call, "//!"...), line[2:]...), len(line), nil
	case bytes.HasSuffix(i, []byte("/php")):
		return append(append(append(call, "<?php "...), line...), " ?>"...), len(line), nil
	}
	return append(call, line...), len(line), nil
}

// interpreter gives the program of a first line, nil when there is none.
func interpreter(line []byte) []byte {
	rest := bytes.TrimLeft(line[2:], " \t")
	if end := bytes.IndexAny(rest, " \t\x00\n"); end >= 0 {
		rest = rest[:end]
	}
	if len(rest) == 0 {
		return nil
	}
	return rest
}
