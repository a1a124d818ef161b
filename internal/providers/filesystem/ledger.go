package filesystem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack"
)

// ledger is what one target keeps in the tree of itself. It is written before
// anything is installed, so that what a killed run has installed is known to be
// the target's all the same; and it tells others what they must leave alone.
type ledger struct {
	FormatVersion int    `json:"format_version"`
	Target        string `json:"target"` // the address, for people
	// Members are all packages of the target.
	Members []spack.Hash `json:"members"`
	// Installed are those that the tree did not have before, also of earlier
	// members; Marked those that the target recorded as asked for.
	Installed []spack.Hash `json:"installed"`
	Marked    []spack.Hash `json:"marked,omitempty"`
}

const (
	ledgerVersion = 1
	ledgerPrefix  = "esd-"
	ledgerSuffix  = ".json"
	temporary     = ".temp" // of a ledger that is being written
	// maxLedger bounds a ledger: it is enough for some 400,000 packages.
	maxLedger = 64 << 20
)

// validOwner guards what becomes part of a path.
func validOwner(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

func ledgerPath(path, owner string) string {
	return filepath.Join(path, databaseDir, ledgerPrefix+owner+ledgerSuffix)
}

// readLedger reads the ledger of a target; an empty one, and false, if there is
// none.
func readLedger(path, owner string) (ledger, bool, error) {
	if !validOwner(owner) {
		return ledger{}, false, nil
	}
	l, err := readLedgerFile(ledgerPath(path, owner))
	if errors.Is(err, fs.ErrNotExist) {
		return ledger{}, false, nil
	}
	return l, err == nil, err
}

func readLedgerFile(name string) (ledger, error) {
	f, err := os.Open(name)
	if err != nil {
		return ledger{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLedger+1))
	if err != nil {
		return ledger{}, err
	}
	l, err := parseLedger(data)
	if err != nil {
		return ledger{}, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

func parseLedger(data []byte) (ledger, error) {
	var l ledger
	if len(data) > maxLedger {
		return l, fmt.Errorf("it has more than %d bytes; esd did not write it", maxLedger)
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return ledger{}, fmt.Errorf("it is damaged (%w); if it is removed, esd forgets which packages the target installed, and leaves them alone", err)
	}
	if l.FormatVersion != ledgerVersion {
		return ledger{}, fmt.Errorf("it has version %d, which another version of esd wrote: use that one", l.FormatVersion)
	}
	for _, list := range [][]spack.Hash{l.Members, l.Installed, l.Marked} {
		for _, h := range list {
			if !h.Valid() {
				return ledger{}, fmt.Errorf("it is damaged: %q is no hash", h)
			}
		}
	}
	return l, nil
}

// write replaces the ledger of a target, unless it says the same already.
func (l ledger) write(path, owner string) error {
	if !validOwner(owner) {
		return fmt.Errorf("%q names no ledger; the plan is damaged", owner)
	}
	l.FormatVersion = ledgerVersion
	for _, list := range []*[]spack.Hash{&l.Members, &l.Installed, &l.Marked} {
		*list = slices.Compact(slices.Sorted(slices.Values(*list)))
	}
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	name := ledgerPath(path, owner)
	if now, err := os.ReadFile(name); err == nil && string(now) == string(data)+"\n" {
		return nil
	}
	return replaceFile(name, append(data, '\n'))
}

// replaceFile writes a file beside name, and puts it in its place when it is on
// disk. The file has always the same name, so that one that a killed run left
// is overwritten: the state is locked, so there is one run at a time.
func replaceFile(name string, data []byte) error {
	tmp, err := os.OpenFile(name+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// reserved lists what other targets have in the tree, of this configuration or
// of another one.
func reserved(path, owner string) (map[spack.Hash]bool, error) {
	out := map[spack.Hash]bool{}
	entries, err := os.ReadDir(filepath.Join(path, databaseDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		name, isLedger := strings.CutPrefix(e.Name(), ledgerPrefix)
		name, isJSON := strings.CutSuffix(name, ledgerSuffix)
		if !isLedger || !isJSON || !validOwner(name) || name == owner {
			continue
		}
		l, err := readLedgerFile(filepath.Join(path, databaseDir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, h := range l.Members {
			out[h] = true
		}
	}
	return out, nil
}
