package examples

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// asNobody makes a command run as the user nobody, to whom dir is given with
// all that is in it.
func asNobody(t *testing.T) func(cmd *exec.Cmd, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("the examples need a C compiler named cc")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("there is no other user: %v", err)
	}
	uid, _ := strconv.Atoi(nobody.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(nobody.Gid)
	return func(cmd *exec.Cmd, dir string) {
		t.Helper()
		if out, err := exec.Command("chown", "-R", nobody.Uid+":"+nobody.Gid, dir).CombinedOutput(); err != nil {
			t.Fatalf("chown: %v\n%s", err, out)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}
