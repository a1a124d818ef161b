package view

import (
	"io"
	"os"
	"slices"
	"strings"
)

const (
	tailLines = 20
	tailBytes = 64 << 10 // what is read from the end of a log at most
)

// logTail is the end of a log: at most n lines, read from at most tailBytes,
// none empty at the end. What esd itself wrote into it is left out: it is not
// what the program said that failed. A log that cannot be read is said to be so.
func logTail(path string, n int) []string {
	text, cut, err := readTail(path)
	if err != nil {
		return []string{"(the log cannot be read: " + err.Error() + ")"}
	}
	if cut {
		if _, rest, found := strings.Cut(text, "\n"); found {
			text = rest // the first line is not whole
		}
	}
	text = strings.TrimRight(text, " \t\r\n")
	if text == "" {
		return nil
	}
	lines := slices.DeleteFunc(Options{Unicode: true}.cleanLines(text), func(line string) bool { return strings.HasPrefix(line, "esd: ") })
	return lines[max(len(lines)-n, 0):]
}

// readTail reads the end of a regular file; cut tells that there was more.
func readTail(path string) (text string, cut bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, err
	}
	if !info.Mode().IsRegular() {
		return "", false, &os.PathError{Op: "read", Path: path, Err: os.ErrInvalid}
	}
	f, err := os.Open(path) //nolint:gosec // the path of a log that this run wrote
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	start := max(info.Size()-tailBytes, 0)
	data, err := io.ReadAll(io.NewSectionReader(f, start, tailBytes))
	return string(data), start > 0, err
}
