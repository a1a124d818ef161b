package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"esd/internal/spack/binary"
)

// TestOtherProcess is what other processes of these tests do.
func TestOtherProcess(t *testing.T) {
	arguments := strings.Fields(os.Getenv("ESD_TEST_OTHER_PROCESS"))
	if len(arguments) == 0 {
		t.Skip("it is run by other tests, in processes of their own")
	}
	switch arguments[0] {
	case "lock": // PATH START LENGTH shared|exclusive: as Spack does, until stdin ends
		f, err := os.OpenFile(arguments[1], os.O_RDWR|os.O_CREATE, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		if arguments[4] == "shared" {
			lock.Type = unix.F_RDLCK
		}
		lock.Start, _ = strconv.ParseInt(arguments[2], 10, 64)
		lock.Len, _ = strconv.ParseInt(arguments[3], 10, 64)
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
			fmt.Println("busy")
			return
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "install": // ROOT COUNT PAUSE
		count, _ := strconv.Atoi(arguments[2])
		pause, _ := time.ParseDuration(arguments[3])
		d := chain(t, count)
		opts := d.options()
		opts.Unpack = func(ctx context.Context, r io.Reader, req binary.Request) (done binary.Installed, _ error) {
			if err := os.MkdirAll(req.Prefix+"/half", 0o755); err != nil {
				return done, err
			}
			time.Sleep(pause)
			if done, err := unpackToy(ctx, r, req); err != nil {
				return done, err
			}
			return done, os.Remove(req.Prefix + "/half")
		}
		fmt.Println("starting")
		mustInstall(t, openStore(t, arguments[1], Options{}), d.packages(d.all()...), opts)
	}
}

// otherProcess starts one and gives its first line of output. The function ends it.
func otherProcess(t testing.TB, arguments ...string) (string, *exec.Cmd, func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOtherProcess$")
	cmd.Env = append(os.Environ(), "ESD_TEST_OTHER_PROCESS="+strings.Join(arguments, " "))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(stdout)
	line, _ := reader.ReadString('\n')
	ended := false
	end := func() {
		if !ended {
			ended = true
			_ = stdin.Close()
			_, _ = io.Copy(io.Discard, reader)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	return strings.TrimSpace(line), cmd, end
}

// chain has count packages, of which each needs the one before it.
func chain(t testing.TB, count int) *dag {
	d := newDAG(t)
	d.external("glibc", "/usr")
	for i := range count {
		need := "glibc:link"
		if i > 0 {
			need = fmt.Sprintf("p%03d:link", i-1)
		}
		d.add(fmt.Sprintf("p%03d", i), need)
	}
	return d
}

// all are the names of what is not of the system.
func (d *dag) all() []string {
	var list []string
	for name, s := range d.byName {
		if s.External == nil {
			list = append(list, name)
		}
	}
	return list
}
