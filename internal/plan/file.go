package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
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

// header is the first line of a saved plan, up to the plan itself: what the rest
// is, and a checksum of it by which a plan that was cut or edited is told from
// the one that was reviewed.
//
// The file is one JSON document in three lines: the header, the plan, and the
// end of the document. So it can be read with any tool for JSON, and esd reads
// it without having all of it in memory besides what it means.
type header struct {
	Format        string `json:"format"`
	FormatVersion int    `json:"format_version"`
	ESDVersion    string `json:"esd_version"`
	SHA256        string `json:"sha256"`
}

const (
	fileFormat = "esd-plan"
	bodyName   = `,"plan":`
	fileEnd    = "}\n"
	// maxHeader bounds the first line, in bytes.
	maxHeader = 4096
)

// line is the first line of the file.
func (h header) line() []byte {
	data, _ := json.Marshal(h) // strings and a number
	return append(data[:len(data)-1], bodyName+"\n"...)
}

// Save writes the plan to a file: all of it, or nothing.
func (p *Plan) Save(path string) error {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(p.portable(filepath.Dir(path))); err != nil { // ends with a line break
		return err
	}
	sum := sha256.Sum256(body.Bytes())
	head := header{fileFormat, FormatVersion, p.ESDVersion, hex.EncodeToString(sum[:])}
	return writeFile(path, head.line(), body.Bytes(), []byte(fileEnd))
}

func writeFile(path string, parts ...[]byte) (err error) {
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
	for _, part := range parts {
		if _, err = tmp.Write(part); err != nil {
			return errors.Join(err, tmp.Close())
		}
	}
	if err = errors.Join(tmp.Sync(), tmp.Close()); err != nil {
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
	if info, err := f.Stat(); err == nil && info.Size() > maxFile {
		return nil, &FileError{path, "it is larger than any plan"}
	}
	p, problem, err := Read(io.LimitReader(f, maxFile))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", path, err)
	case problem != "":
		return nil, &FileError{path, problem}
	}
	p.settle(filepath.Dir(path))
	return p, nil
}

// Read reads a saved plan. The problem says what is wrong with what was read;
// it is empty if nothing is. The error is that of reading.
func Read(r io.Reader) (p *Plan, problem string, err error) {
	source := &failing{r: r}
	in := bufio.NewReaderSize(source, 1<<16)
	p, problem = read(in)
	if source.err != nil {
		return nil, "", source.err
	}
	return p, problem, nil
}

// Parse is Read for a plan that is in memory.
func Parse(data []byte) (p *Plan, problem string) {
	p, problem, _ = Read(bytes.NewReader(data))
	return p, problem
}

// failing keeps the error of reading apart from what is wrong with what is read.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

func read(in *bufio.Reader) (*Plan, string) {
	h, problem := readHeader(in)
	if problem != "" {
		return nil, problem
	}
	sum := sha256.New()
	body := &line{in: in, sum: sum}
	p, problem := decode(body)
	_, err := io.Copy(io.Discard, body) // for the checksum
	end, endErr := io.ReadAll(io.LimitReader(in, int64(len(fileEnd))+1))
	switch {
	case err != nil || endErr != nil || !body.ended:
		return nil, "it was cut off"
	case hex.EncodeToString(sum.Sum(nil)) != h.SHA256 || string(end) != fileEnd:
		return nil, "it was changed after it was saved: its checksum does not fit"
	case problem != "":
		return nil, "it is damaged: " + problem
	case p.FormatVersion != h.FormatVersion || p.ESDVersion != h.ESDVersion:
		return nil, "it is damaged: what it says of itself does not fit"
	}
	return p, p.problem()
}

// readHeader reads the first line.
func readHeader(in *bufio.Reader) (header, string) {
	first, err := in.ReadSlice('\n')
	named, isPlan := bytes.CutSuffix(first, []byte(bodyName+"\n"))
	var h header
	if err != nil || len(first) > maxHeader || !isPlan || json.Unmarshal(append(slices.Clip(named), '}'), &h) != nil {
		return header{}, "it is not a saved plan, or was cut off"
	}
	switch {
	case h.FormatVersion == FormatVersion && !bytes.Equal(h.line(), first):
		return h, "it was changed after it was saved: its first line is not as esd writes it"
	case h.Format != fileFormat:
		return h, "it is not a saved plan"
	case h.FormatVersion != FormatVersion:
		return h, otherVersion(h)
	}
	return h, ""
}

func otherVersion(h header) string {
	if h.FormatVersion > FormatVersion {
		return fmt.Sprintf("it was saved by esd %q, whose format this version does not know", h.ESDVersion)
	}
	return fmt.Sprintf("it was saved by esd %q, whose format is no longer known", h.ESDVersion)
}

// line is one line of a file, with its end, of which a checksum is made.
type line struct {
	in    *bufio.Reader
	sum   hash.Hash
	ended bool
}

func (l *line) Read(b []byte) (int, error) {
	if l.ended {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	if _, err := l.in.Peek(1); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	chunk, _ := l.in.Peek(min(len(b), l.in.Buffered()))
	if i := bytes.IndexByte(chunk, '\n'); i >= 0 {
		chunk, l.ended = chunk[:i+1], true
	}
	n := copy(b, chunk)
	l.sum.Write(b[:n])
	_, _ = l.in.Discard(n)
	return n, nil
}

// problem says what cannot be right about a plan that was read, beside what is
// wrong with one change or step: applying relies on all of it.
func (p *Plan) problem() string {
	if !slices.Contains([]Mode{Apply, Destroy, RefreshOnly}, p.Mode) {
		return fmt.Sprintf("it is damaged: %q is no mode", p.Mode)
	}
	changed := make(map[string]string, len(p.Changes)) // to their kinds
	for i := range p.Changes {
		c := &p.Changes[i]
		if _, twice := changed[c.Address]; twice {
			return fmt.Sprintf("it is damaged: %s changes twice", c.Address)
		}
		changed[c.Address] = c.Kind
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

// problem says what cannot be right about one step.
func (s *Step) problem() string {
	switch {
	case s.Address == "" || s.ID != s.Address+"#"+s.Op:
		return fmt.Sprintf("step %s is not one of %s", s.ID, s.Address)
	case s.Resources.CPUs < 0 || s.Resources.Memory < 0 || s.Resources.Timeout < 0:
		return fmt.Sprintf("step %s occupies less than nothing", s.ID)
	}
	return ""
}

// stepsProblem says what cannot be right about the steps together.
func (p *Plan) stepsProblem(changed map[string]string) string {
	ids := make(map[string]bool, len(p.Steps))
	for _, s := range p.Steps {
		kind, known := changed[s.Address]
		switch {
		case !known:
			return fmt.Sprintf("step %s belongs to no change", s.ID)
		case s.Kind != kind:
			return fmt.Sprintf("step %s is not one of %s", s.ID, s.Address)
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
