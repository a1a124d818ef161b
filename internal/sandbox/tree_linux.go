package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxEntries bounds how many entries of a directory are mounted one by one to make room for a new one.
const maxEntries = 4096

// tree is the file system of the command while it is put together, below the directory at.
//
// It grows in three steps. First all of the machine is bound and every mount point made; then all of it becomes
// read-only in one go; then what is writable is mounted on the mount points.
type tree struct {
	at    string
	owned map[string]bool // directories, relative to at, that lie on a tmpfs of ours
	old   bool
}

// placement is something that is mounted in the third step.
type placement struct {
	target string
	fd     int // source of a bind, -1 for a private directory
	file   bool
	bind   Bind
	dir    privateDir
}

// enterTree builds the tree and makes it the root of this process, which is alone in its mount namespace.
func enterTree(cfg *treeConfig) error {
	// Every source is opened before the first mount can cover it.
	entries, err := openEntries(cfg.Base, cfg.Skip)
	if err != nil {
		return &SetupError{"read " + cfg.Base, err}
	}
	places, err := openPlacements(cfg)
	if err != nil {
		return err
	}
	devices := openDevices()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &SetupError{"make mounts private", err}
	}
	t := &tree{owned: map[string]bool{"/": true}, old: cfg.Old}
	if t.at, err = mountPoint(); err != nil {
		return err
	}
	if err := mountTmpfs(t.at, 0o755, 0); err != nil {
		return &SetupError{"mount a tmpfs on " + t.at, err}
	}
	if err := t.furnish(cfg, entries, places); err != nil {
		return err
	}
	if err := t.addProc(devices); err != nil {
		return err
	}
	if err := t.addDev(devices); err != nil {
		return err
	}
	for _, p := range places {
		if err := t.place(p); err != nil {
			return err
		}
	}
	return t.enter(cfg.Move)
}

// furnish is the first and the second step.
func (t *tree) furnish(cfg *treeConfig, entries []entry, places []placement) error {
	for _, name := range []string{"proc", "dev"} {
		if err := t.mkdir("/" + name); err != nil {
			return err
		}
	}
	if cfg.Writable {
		// An image may be changed: its entries come after the step that makes things read-only.
		// Mount points inside of an entry are found there.
		own := slices.DeleteFunc(slices.Clone(places), func(p placement) bool {
			top, _, deep := strings.Cut(strings.TrimPrefix(p.target, "/"), "/")
			return deep && slices.ContainsFunc(entries, func(e entry) bool { return e.name == top })
		})
		if err := t.makePoints(own); err != nil {
			return err
		}
		return t.bindEntries("/", entries)
	}
	if err := t.bindEntries("/", entries); err != nil {
		return err
	}
	if err := t.makePoints(places); err != nil {
		return err
	}
	if cfg.Accounts {
		if err := t.addAccounts(cfg.Home); err != nil {
			return err
		}
	}
	if err := t.readOnly(t.at, true); err != nil {
		return &SetupError{"make the file system read-only", err}
	}
	return nil
}

// makePoints makes the mount points of the third step, but for those that will lie inside of another one.
func (t *tree) makePoints(places []placement) error {
	for i, p := range places {
		inside := slices.ContainsFunc(places[:i], func(o placement) bool { return strings.HasPrefix(p.target, o.target+"/") })
		if inside || strings.HasPrefix(p.target, "/dev/") || strings.HasPrefix(p.target, "/proc/") {
			continue
		}
		if err := t.makePoint(p.target, p.file); err != nil {
			return &SetupError{"make the mount point " + p.target, err}
		}
	}
	return nil
}

// mountPoint finds a directory that the new tree can be put together on.
func mountPoint() (string, error) {
	for _, dir := range []string{"/tmp", "/var/tmp", "/mnt", "/run", "/srv"} {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return dir, nil
		}
	}
	return "", &SetupError{"find a directory to mount on", fmt.Errorf("there is none of /tmp, /var/tmp, /mnt, /run, /srv: %w", os.ErrNotExist)}
}

func mountTmpfs(target string, mode uint32, size int64) error {
	opts := fmt.Sprintf("mode=%o", mode)
	if size > 0 {
		opts += fmt.Sprintf(",size=%d", size)
	}
	return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, opts)
}

// fdPath names an open file; mounting by it follows no symbolic link.
func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// openPlacements opens the sources of binds and orders everything so that a directory comes before what lies in
// it. Of two on the same place the bind wins.
func openPlacements(cfg *treeConfig) ([]placement, error) {
	var all []placement
	for _, b := range cfg.Binds {
		fd, err := unix.Open(b.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &SetupError{"open " + b.Source, err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, &SetupError{"open " + b.Source, err}
		}
		all = append(all, placement{target: b.Target, fd: fd, file: st.Mode&unix.S_IFMT != unix.S_IFDIR, bind: b})
	}
	for _, d := range cfg.Private {
		all = append(all, placement{target: d.Path, fd: -1, dir: d})
	}
	slices.SortStableFunc(all, func(a, b placement) int { return cmp.Compare(a.target, b.target) })
	all = slices.CompactFunc(all, func(a, b placement) bool { return a.target == b.target })
	slices.SortStableFunc(all, func(a, b placement) int {
		return cmp.Compare(strings.Count(a.target, "/"), strings.Count(b.target, "/"))
	})
	return all, nil
}

// place mounts one thing. The mount point is walked to without following links: a directory that a build
// wrote before may contain any.
func (t *tree) place(p placement) error {
	fd, err := openBelow(t.at, p.target, p.file)
	if err != nil {
		return &SetupError{"reach the mount point " + p.target, err}
	}
	defer unix.Close(fd)
	if p.fd < 0 {
		if err := mountTmpfs(fdPath(fd), p.dir.Mode, p.dir.Size); err != nil {
			return &SetupError{"mount a private " + p.target, err}
		}
		return nil
	}
	if err := unix.Mount(fdPath(p.fd), fdPath(fd), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &SetupError{"show " + p.bind.Source + " as " + p.target, err}
	}
	unix.Close(p.fd)
	if p.bind.ReadOnly {
		if err := t.readOnly(t.at+p.target, true); err != nil {
			return &SetupError{"make " + p.target + " read-only", err}
		}
	}
	return nil
}

// openBelow opens path below the directory at, component by component, refusing symbolic links and making what
// is missing.
func openBelow(at, path string, file bool) (int, error) {
	dir, err := unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, name := range parts {
		leaf := file && i == len(parts)-1
		next, err := openStep(dir, name, leaf)
		unix.Close(dir)
		if err != nil {
			return -1, fmt.Errorf("%s: %w", strings.Join(parts[:i+1], "/"), err)
		}
		dir = next
	}
	return dir, nil
}

func openStep(dir int, name string, file bool) (int, error) {
	for range 2 {
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, checkKind(fd, file)
		}
		if !errors.Is(err, unix.ENOENT) {
			return -1, err
		}
		if file {
			var made int
			if made, err = unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err == nil {
				unix.Close(made)
			}
		} else {
			err = unix.Mkdirat(dir, name, 0o755)
		}
		if err != nil {
			return -1, err
		}
	}
	return -1, unix.ENOENT
}

// checkKind closes fd if it is not what a mount point must be.
func checkKind(fd int, file bool) error {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	kind := st.Mode & unix.S_IFMT
	switch {
	case err != nil:
	case kind == unix.S_IFLNK:
		err = errors.New("is a symbolic link")
	case !file && kind != unix.S_IFDIR:
		err = unix.ENOTDIR
	case file && kind == unix.S_IFDIR:
		err = unix.EISDIR
	}
	if err != nil {
		unix.Close(fd)
	}
	return err
}

// entry is one entry of a directory, held open.
type entry struct {
	name string
	kind fs.FileMode
	link string
	fd   int
}

// openEntries opens what is in dir. Sockets, devices and pipes are left out.
func openEntries(dir string, skip []string) ([]entry, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > maxEntries {
		return nil, fmt.Errorf("%s has %d entries, more than %d can be mounted one by one; choose a prefix root elsewhere", dir, len(list), maxEntries)
	}
	var all []entry
	for _, e := range list {
		if slices.Contains(skip, e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		switch x := (entry{name: e.Name(), kind: e.Type(), fd: -1}); {
		case x.kind == fs.ModeSymlink:
			if x.link, err = os.Readlink(path); err == nil {
				all = append(all, x)
			}
		case x.kind.IsDir() || x.kind.IsRegular():
			// What cannot be reached (a dead file server, another user's FUSE mount) is simply not shown.
			if x.fd, err = unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
				all = append(all, x)
			}
		}
	}
	return all, nil
}

// bindEntries shows the entries in dir, a directory of ours.
func (t *tree) bindEntries(dir string, entries []entry) error {
	for _, e := range entries {
		path := filepath.Join(t.at, dir, e.name)
		if err := bindEntry(path, e); err != nil {
			return &SetupError{"show " + filepath.Join(dir, e.name), err}
		}
	}
	return nil
}

func bindEntry(path string, e entry) error {
	if e.kind == fs.ModeSymlink {
		return os.Symlink(e.link, path)
	}
	defer unix.Close(e.fd)
	var err error
	if e.kind.IsDir() {
		err = os.Mkdir(path, 0o755)
	} else {
		err = os.WriteFile(path, nil, 0o644)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil // the caller made it a mount point already
	}
	if err != nil {
		return err
	}
	return unix.Mount(fdPath(e.fd), path, "", unix.MS_BIND|unix.MS_REC, "")
}
