//go:build unix

package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Root is where builds happen.
type Root struct {
	Prefix string // the configured prefix root, /opt/esd say
	Path   string // the same as a command sees it: Prefix, or a real directory with a name of equal length
	Dir    string // the directory of the machine behind it

	lock *os.File
	made string // what to remove at the end
	temp bool   // remove it with all that is in it
}

// Relocated says whether builds happen elsewhere than at Prefix, so that Path must be replaced by Prefix in what
// they make. Both have the same length.
func (r *Root) Relocated() bool { return r.Path != r.Prefix }

// Root says where builds for a prefix root happen. In a namespace that is the prefix root itself, backed by the
// directory backing, which is made if it is missing.
//
// Without namespaces it is a real directory with a name of the same length, which belongs to this user alone
// (mode 0700) and has, as long as nobody else took it, the same name each time, because traces of a name survive
// its replacement: a build id is a checksum made before. It may hold what an interrupted run left. It is locked
// until Close, so ask once and share it; a second process gets a directory with a random name. If no writable
// directory has such a name the error is a [*RootLengthError].
func (s Sandbox) Root(prefix, backing string) (*Root, error) {
	if err := cleanPath("prefix root", prefix); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if s.kind != Namespace {
		return realRoot(prefix, realBases(), os.Geteuid())
	}
	if err := cleanPath("directory of the prefix root", backing); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if err := os.MkdirAll(backing, 0o755); err != nil {
		return nil, fmt.Errorf("sandbox: directory of the prefix root: %w", err)
	}
	return &Root{Prefix: prefix, Path: prefix, Dir: backing}, nil
}

// Close gives the directory free for others. One with a random name goes with all that is in it, the other only
// if it is empty. Close does nothing to the directory that backs a namespace.
func (r *Root) Close() error {
	if r.lock == nil {
		return nil
	}
	var err error
	if r.temp {
		err = os.RemoveAll(r.made)
	} else {
		// From the inside out, as far as there is nothing in it.
		for dir := r.Dir; len(dir) >= len(r.made) && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
			continue
		}
	}
	err = errors.Join(err, r.lock.Close())
	r.lock = nil
	return err
}

// nameLength is the least length of the name of a real root, to leave enough names for several users.
const nameLength = 2

// realBases lists where a real root may lie, the short and the always present first, so that a changed
// environment does not change the name.
func realBases() []string {
	bases := []string{"/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/tmp"}
	bases = append(bases, "/run/user/"+strconv.Itoa(os.Geteuid()), filepath.Clean(os.TempDir()))
	if home, err := os.UserHomeDir(); err == nil {
		bases = append(bases, filepath.Clean(home))
	}
	return slices.Compact(bases)
}

// errTaken means that a name belongs to somebody else, errBusy that it is ours and another process uses it.
var (
	errTaken = errors.New("taken by another user")
	errBusy  = errors.New("used by another process")
)

// realRoot finds a directory with a name as long as prefix.
func realRoot(prefix string, bases []string, uid int) (*Root, error) {
	fail := &RootLengthError{Prefix: prefix}
	for _, base := range bases {
		room := len(prefix) - len(base) - 1
		if err := usableBase(base); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				fail.Tried = append(fail.Tried, base+": "+err.Error())
			}
			continue
		}
		if need := len(base) + 1 + nameLength; room < nameLength {
			if fail.Need == 0 || need < fail.Need {
				fail.Need = need
			}
			fail.Tried = append(fail.Tried, base+": too long a name")
			continue
		}
		root, err := claimBelow(base, room, prefix, uid)
		if err == nil {
			return root, nil
		}
		fail.Tried = append(fail.Tried, base+": "+err.Error())
	}
	return nil, fail
}

// usableBase says why programs cannot be built below base. A base behind a symbolic link is none: builds write
// down real paths, and those have another length.
func usableBase(base string) error {
	real, err := filepath.EvalSymlinks(base)
	if err != nil {
		return err
	}
	if real != base {
		return fmt.Errorf("is a link to %s", real)
	}
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		return syscall.ENOTDIR
	}
	if err := syscall.Access(base, 3); err != nil { // write and search
		return err
	}
	if f, err := FileSystemType(base); err == nil && f.NoExec {
		return errors.New("is mounted noexec")
	}
	return nil
}

// claimBelow takes the user's own name below base, the next one if somebody has that, and a random one if
// another process works there.
func claimBelow(base string, room int, prefix string, uid int) (*Root, error) {
	var err error
	seed := fmt.Sprintf("esd sandbox root\x00%d\x00%s\x00", uid, prefix)
	temp := false
	for attempt := range 64 {
		if attempt == 8 {
			temp = true
		}
		if temp {
			seed = rand.Text()
		}
		name := rootName(seed+strconv.Itoa(attempt), room)
		var root *Root
		if root, err = claim(base, name, uid); err == nil {
			root.Prefix, root.temp = prefix, temp
			return root, nil
		}
		switch {
		case errors.Is(err, errBusy):
			temp = true
		case !errors.Is(err, errTaken):
			return nil, err
		}
	}
	return nil, err
}

// rootName makes a path of n bytes from a seed. Names longer than a file system takes are cut into directories.
func rootName(seed string, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	const part = 100
	name := make([]byte, 0, n)
	for block := 0; len(name) < n; block++ {
		sum := sha256.Sum256([]byte(seed + "\x00" + strconv.Itoa(block)))
		for _, b := range sum[:min(len(sum), n-len(name))] {
			name = append(name, letters[int(b)%len(letters)])
		}
	}
	if n > nameLength {
		name[0] = 'e' // whose it is
	}
	for i := part; i < n-1; i += part + 1 {
		name[i] = '/'
	}
	return string(name)
}

// claim makes base/name or takes it over, if it belongs to this user, and locks it.
func claim(base, name string, uid int) (*Root, error) {
	top, _, _ := strings.Cut(name, "/")
	root := &Root{Path: filepath.Join(base, name), Dir: filepath.Join(base, name), made: filepath.Join(base, top)}
	for range 10 {
		if err := os.Mkdir(root.made, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		lock, err := lockOwn(root.made, uid)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the one who had it has just removed it
		}
		if err != nil {
			return nil, err
		}
		root.lock = lock
		if err := os.MkdirAll(root.Dir, 0o700); err != nil {
			_ = lock.Close()
			return nil, err
		}
		return root, nil
	}
	return nil, errBusy
}

// lockOwn opens and locks a directory if it is this user's own and no link.
func lockOwn(path string, uid int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, path, uid); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func lockFile(f *os.File, path string, uid int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid {
		return errTaken
	}
	if info.Mode().Perm() != 0o700 {
		if err := f.Chmod(0o700); err != nil {
			return err
		}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return errBusy
		}
		return err
	}
	// Between opening and locking the one who had it may have removed it.
	now, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(info, now) {
		return fs.ErrNotExist
	}
	return nil
}
