package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"esd/internal/addr"
)

// maxFile bounds a saved plan, in bytes: one of 100,000 steps has about 100 MB.
const maxFile = 1 << 30

// FileError says why a file cannot be applied as a saved plan.
type FileError struct {
	Path    string
	Problem string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: %s; make it again with `esd plan --out`", e.Path, e.Problem)
}

// file is a saved plan: the plan, and a checksum of it by which a plan that was
// cut or edited is told from the one that was reviewed.
type file struct {
	Format        string          `json:"format"`
	FormatVersion int             `json:"format_version"`
	ESDVersion    string          `json:"esd_version"`
	SHA256        string          `json:"sha256"`
	Plan          json.RawMessage `json:"plan"`
}

const fileFormat = "esd-plan"

// Save writes the plan to a file: all of it, or nothing.
func (p *Plan) Save(path string) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	data, err := json.Marshal(file{fileFormat, FormatVersion, p.ESDVersion, hex.EncodeToString(sum[:]), body})
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

func writeFile(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
			err = fmt.Errorf("saving the plan: %w", err)
		}
	}()
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// IsFile reports whether path looks like a saved plan rather than a
// configuration: a regular file that begins as one.
func IsFile(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	return bytes.HasPrefix(head[:n], []byte(`{"format":"`+fileFormat+`"`))
}

// Load reads a saved plan and checks that it is whole.
func Load(path string) (*Plan, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{path, "there is no such file"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, &FileError{path, "it is larger than any plan"}
	}
	p, problem := Parse(data)
	if problem != "" {
		return nil, &FileError{path, problem}
	}
	return p, nil
}

// Parse reads a saved plan from its bytes. The problem says what is wrong with
// it; it is empty if nothing is.
func Parse(data []byte) (p *Plan, problem string) {
	var outer file
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, "it is not a saved plan, or was cut off"
	}
	switch {
	case outer.Format != fileFormat:
		return nil, "it is not a saved plan"
	case outer.FormatVersion > FormatVersion:
		return nil, fmt.Sprintf("it was saved by esd %q, whose format this version does not know", outer.ESDVersion)
	case outer.FormatVersion < FormatVersion:
		return nil, fmt.Sprintf("it was saved by esd %q, whose format is no longer known", outer.ESDVersion)
	}
	if sum := sha256.Sum256(outer.Plan); hex.EncodeToString(sum[:]) != outer.SHA256 {
		return nil, "it was changed after it was saved: its checksum does not fit"
	}
	d := json.NewDecoder(bytes.NewReader(outer.Plan))
	d.DisallowUnknownFields()
	d.UseNumber() // records keep their numbers to the last digit
	p = &Plan{}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Sprintf("it is damaged: %v", err)
	}
	return p, p.problem()
}

// problem says what cannot be right about a plan that was read: applying relies
// on all of it.
func (p *Plan) problem() string {
	if !slices.Contains([]Mode{Apply, Destroy, RefreshOnly}, p.Mode) {
		return fmt.Sprintf("it is damaged: %q is no mode", p.Mode)
	}
	changed := make(map[string]bool, len(p.Changes))
	for i := range p.Changes {
		c := &p.Changes[i]
		if problem := c.problem(); problem != "" {
			return "it is damaged: " + problem
		}
		if changed[c.Address] {
			return fmt.Sprintf("it is damaged: %s changes twice", c.Address)
		}
		changed[c.Address] = true
	}
	if problem := p.stepsProblem(changed); problem != "" {
		return "it is damaged: " + problem
	}
	return ""
}

// problem says what cannot be right about one change.
func (c *Change) problem() string {
	if _, err := addr.Parse(c.Address); err != nil {
		return err.Error()
	}
	if _, err := addr.Parse(c.From); c.From != "" && err != nil {
		return err.Error()
	}
	switch c.Action {
	case Remove, Forget, Move:
		return ""
	case Build, Fetch, Push, Create, Update, Adopt, Refresh:
	default:
		return fmt.Sprintf("%q is no action", c.Action)
	}
	if key, err := hex.DecodeString(c.Key); err != nil || len(key) != sha256.Size {
		return fmt.Sprintf("%q, of %s, is no content key", c.Key, c.Address)
	}
	if c.Record == nil {
		return c.Address + " has no record"
	}
	return ""
}

// stepsProblem says what cannot be right about the steps.
func (p *Plan) stepsProblem(changed map[string]bool) string {
	ids := make(map[string]bool, len(p.Steps))
	for _, s := range p.Steps {
		if !changed[s.Address] {
			return fmt.Sprintf("step %s belongs to no change", s.ID)
		}
		if ids[s.ID] {
			return fmt.Sprintf("step %s is listed twice", s.ID)
		}
		ids[s.ID] = true
	}
	for _, s := range p.Steps {
		for _, need := range s.Needs {
			if !ids[need] {
				return fmt.Sprintf("step %s needs %s, which is not there", s.ID, need)
			}
		}
	}
	if _, err := p.Graph(); err != nil {
		return err.Error()
	}
	return ""
}
