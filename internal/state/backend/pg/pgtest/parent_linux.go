package pgtest

import (
	"os/exec"
	"syscall"
)

// endWithParent has the server end at once when the test is killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
