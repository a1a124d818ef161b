package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A line is
//
//	{"sum":"xxxxxxxx","n":N,"synced":S,"header":{…}}
//	{"sum":"xxxxxxxx","n":N,"synced":S,"entry":{…}}
//
// and ends with a line feed. The sum covers the bytes from "n" to the end
// without the line feed.
const (
	sumPrefix = `{"sum":"`
	sumDigits = 8
	// sumEnd is where the bytes begin that the sum covers.
	sumEnd = len(sumPrefix) + sumDigits + len(`",`)
)

// maxLine bounds a line in bytes.
const maxLine = 16 << 20

type line struct {
	N      int64   `json:"n"`
	Synced int64   `json:"synced"`
	Header *Header `json:"header"`
	Entry  *Entry  `json:"entry"`
}

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}

// appendLine appends a line whose last field is given with its value.
func appendLine(buf []byte, n, synced int64, field string, value []byte) []byte {
	start := len(buf)
	buf = append(buf, sumPrefix+"00000000"+`",`...)
	buf = append(buf, `"n":`...)
	buf = strconv.AppendInt(buf, n, 10)
	buf = append(buf, `,"synced":`...)
	buf = strconv.AppendInt(buf, synced, 10)
	buf = append(buf, `,"`...)
	buf = append(append(buf, field...), `":`...)
	buf = append(append(buf, value...), '}')
	sum := fmt.Sprintf("%08x", checksum(buf[start+sumEnd:]))
	copy(buf[start+len(sumPrefix):], sum)
	return append(buf, '\n')
}

var (
	errChecksum = errors.New("the line does not match its checksum")
	errContent  = errors.New("the line is intact, but it is no record of a journal")
)

// parseLine reads a line without its line feed.
func parseLine(data []byte) (line, error) {
	var l line
	if len(data) < sumEnd || string(data[:len(sumPrefix)]) != sumPrefix {
		return l, errChecksum
	}
	sum, err := strconv.ParseUint(string(data[len(sumPrefix):len(sumPrefix)+sumDigits]), 16, 32)
	if err != nil || uint32(sum) != checksum(data[sumEnd:]) {
		return l, errChecksum
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("%w: %w", errContent, err)
	}
	if (l.Header == nil) == (l.Entry == nil) {
		return l, errContent
	}
	return l, nil
}
