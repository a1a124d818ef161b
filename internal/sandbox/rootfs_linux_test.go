package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// smallRootfs is a root file system with a shell and a few programs.
func smallRootfs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []string{"sh", "cat", "id", "ls", "touch", "env"} {
		copyProgram(t, dir, p)
	}
	files := map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\njovyan:x:1042:100:user:/home/jovyan:/bin/sh\n",
		"etc/group":  "root:x:0:\nusers:x:100:\nwheel:x:10:\n",
		"data/file":  "from the image\n",
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runRoot runs a script in a root file system, or skips the test where that is not to be had.
func runRoot(t *testing.T, spec RootSpec, script string) (string, error) {
	t.Helper()
	var log bytes.Buffer
	spec.Argv, spec.Stdout, spec.Timeout = []string{"sh", "-c", script}, &log, time.Minute
	if spec.Env == nil {
		spec.Env = []string{"PATH=/bin"}
	}
	_, err := RunInRoot(context.Background(), spec)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	return log.String(), err
}

func TestACommandRunsInARootFileSystem(t *testing.T) {
	rootfs := smallRootfs(t)
	got, err := runRoot(t, RootSpec{Rootfs: rootfs}, "id -u; id -g; cat /data/file; ls /; touch /tmp/x /data/new; ls /dev/null /proc/self/status")
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	for _, want := range []string{"0\n0\nfrom the image\nbin\ndata\ndev\netc\nlib", "\nproc\nrun\nsys\ntmp\n", "/dev/null\n", "/proc/self/status\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	for name, want := range map[string]bool{"data/new": true, "tmp": false, "proc": false, "dev": false, "run": false} {
		if _, err := os.Lstat(filepath.Join(rootfs, name)); (err == nil) != want {
			t.Errorf("%s is in the image afterwards: %v", name, err == nil)
		}
	}
}

func TestAReadOnlyRootFileSystemIsNotChanged(t *testing.T) {
	rootfs := smallRootfs(t)
	got, err := runRoot(t, RootSpec{Rootfs: rootfs, ReadOnly: true}, "touch /tmp/x; if touch /data/new || touch /new; then exit 1; fi")
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
}

func TestTheUserOfAnImage(t *testing.T) {
	rootfs := smallRootfs(t)
	for user, want := range map[string]string{
		"": "0\n0\n", "jovyan": "1042\n100\n", "1042": "1042\n100\n", "77": "77\n0\n", "77:78": "77\n78\n", "jovyan:wheel": "1042\n10\n",
	} {
		got, err := runRoot(t, RootSpec{Rootfs: rootfs, User: user}, "id -u; id -g")
		if err != nil || got != want {
			t.Errorf("user %q: got %q, %v, want %q", user, got, err, want)
		}
	}
	for _, user := range []string{"nobody-here", "jovyan:nogroup-here", "-1", "99999999999"} {
		if _, err := RunInRoot(t.Context(), RootSpec{Rootfs: rootfs, User: user, Argv: []string{"sh"}}); err == nil {
			t.Errorf("user %q was accepted", user)
		}
	}
}

func TestHostileImagesStayInside(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("root:x:4242:1:secret:/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	rootfs := smallRootfs(t)
	for link, target := range map[string]string{
		"tmp": outside, "proc": "/etc", "dev": outside, "sys": outside, "run": outside, "escape": "../../../../../../.." + outside, "absolute": outside,
	} {
		if err := os.Symlink(target, filepath.Join(rootfs, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := runRoot(t, RootSpec{Rootfs: rootfs, Network: true}, "touch /tmp/x /run/x; if cat /escape/secret || cat /absolute/secret || cat "+secret+"; then exit 1; fi; cat /proc/self/comm")
	if err != nil || !strings.HasSuffix(got, "cat\n") {
		t.Errorf("%v\n%s", err, got)
	}
	if list, _ := os.ReadDir(outside); len(list) != 1 {
		t.Errorf("it wrote outside: %v", list)
	}
	passwd := filepath.Join(rootfs, "etc/passwd")
	if err := errors.Join(os.Remove(passwd), os.Symlink(secret, passwd)); err != nil {
		t.Fatal(err)
	}
	if uid, _, err := lookupUser(rootfs, "root"); err == nil {
		t.Errorf("accounts were read outside the image: %d", uid)
	}
}

func TestRootRunsImagesByChrootWithoutNamespaces(t *testing.T) {
	if r := Probe(t.Context()); !r.Chroot.Works {
		t.Skip(r.Chroot.Reason)
	}
	rootfs := smallRootfs(t)
	var log bytes.Buffer
	j := job{spec: Spec{Stdout: &log}, config: &stageConfig{
		Argv: []string{"sh", "-c", "id -u; id -g; cat /data/file"}, Env: []string{"PATH=/nowhere:/bin"}, Dir: "/", Chroot: rootfs, SetUser: true, UID: 5, GID: 6,
	}}
	if _, err := j.run(t.Context()); err != nil || log.String() != "5\n6\nfrom the image\n" {
		t.Errorf("got %q, %v", log.String(), err)
	}
	j.config.Argv = []string{"no-such-program"}
	var setup *SetupError
	if _, err := j.run(t.Context()); !errors.As(err, &setup) {
		t.Errorf("got %v", err)
	}
}

func TestRootWithoutUserNamespacesBecomesTheUserOfTheImage(t *testing.T) {
	r := Probe(t.Context())
	if !r.MountNS.Works {
		t.Skip(r.MountNS.Reason)
	}
	r.UserNS.Works = false
	rootfs := smallRootfs(t)
	if err := os.Chmod(rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	spec := RootSpec{Rootfs: rootfs, Dir: "/"}
	var log bytes.Buffer
	j := job{spec: Spec{Stdout: &log}, config: &stageConfig{
		Argv: []string{"sh", "-c", "id -u; id -g; cat /data/file; touch /data/x"}, Env: []string{"PATH=/bin"}, Dir: "/", UID: 5, GID: 6, SetUser: true, Tree: spec.tree(),
	}}
	r.isolate(&j, false)
	var exit *ExitError
	if _, err := j.run(t.Context()); !errors.As(err, &exit) || !strings.HasPrefix(log.String(), "5\n6\nfrom the image\n") {
		t.Errorf("got %q, %v", log.String(), err)
	}
}
