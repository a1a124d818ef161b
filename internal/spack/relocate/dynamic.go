package relocate

import (
	"strings"
)

// dynamic relocates interpreter and RPATH. scan is how much of the file, from
// its start, may still hold old prefixes.
func (m *Map) dynamic(name string, e *elfFile) (newSize, scan int64, changed bool, err error) {
	rpath, interp := m.newRpath(e), m.newInterp(e)
	switch {
	case rpath == nil && interp == nil:
		return e.size, e.size, false, nil
	case e.rpath.fits(rpath) && e.interp.fits(interp):
		for _, s := range []struct {
			old *cString
			new *string
		}{{e.rpath, rpath}, {e.interp, interp}} {
			if s.new == nil {
				continue
			}
			if _, err := e.f.WriteAt(pad(*s.new, len(s.old.text)), s.old.at); err != nil {
				return 0, 0, false, err
			}
		}
		return e.size, e.size, true, nil
	}
	newSize, scan, err = m.grow(name, e, rpath, interp)
	return newSize, scan, err == nil, err
}

// fits tells whether a string can be replaced where it is.
func (s *cString) fits(text *string) bool { return text == nil || len(*text) <= len(s.text) }

// newRpath gives the RPATH with its directories relocated and empty ones
// dropped, nil when nothing changes.
func (m *Map) newRpath(e *elfFile) *string {
	if e.rpath == nil {
		return nil
	}
	var dirs []string
	changed := false
	for dir := range strings.SplitSeq(e.rpath.text, ":") {
		if dir == "" {
			continue
		}
		moved, did := m.start(dir)
		dirs, changed = append(dirs, moved), changed || did
	}
	if !changed {
		return nil
	}
	text := strings.Join(dirs, ":")
	return &text
}

func (m *Map) newInterp(e *elfFile) *string {
	if e.interp == nil {
		return nil
	}
	text, changed := m.start(e.interp.text)
	if !changed {
		return nil
	}
	return &text
}
