// Package sandbox runs the command of one build, or one command of an unpacked image, apart from the
// machine it runs on.
//
// A package is built at a stable prefix such as /opt/esd/NAME-VERSION-KEY, because programs and libraries
// carry their prefix in their bytes. On the machine nothing may be written there. Two sandboxes solve this:
//
//   - "namespace": a private mount namespace in which the prefix root is a bind mount of a directory of the
//     caller. The rest of the machine is there, read-only; /tmp, /var/tmp, /dev/shm and $HOME are private and
//     empty, /run is hidden, /dev is minimal. Where the kernel has them, the command also gets its own process
//     tree, host name, System V IPC and a network with nothing but the loopback device.
//   - "none": the command runs as it is, at a real directory whose name is exactly as long as the prefix root.
//     A later substitution of equal length moves the product, also inside binaries. The substitution itself
//     lives in package archive.
//
// [Probe] really tries what the kernel allows, [Choose] picks and says why, [Sandbox.Root] tells the directory
// where the build happens and [Sandbox.Run] runs it. [RunInRoot] runs a command of an image.
//
// # The supervisor
//
// On Linux every command has a supervisor: this very program, started once more. It sets up the mounts, starts
// the command, reaps, and takes the whole tree of processes down when the command ends, when it is told to, or
// when the program that started it disappears (its end of the control socket closes, also after kill -9). For
// that, main and every TestMain that uses this package call [Init] before anything else. That takes a moment after
// kill -9, and longer on a busy machine; what must not meet the command holds a lock, see [Spec].
//
// # Who the command is
//
// In a namespace sandbox the command is user 1000, group 1000, without capabilities, for everybody: for root as
// well as for an ordinary user, whatever their number. Files it writes belong to the caller outside. A command
// that is not user 0 does not try to give files away when it unpacks an archive, so the same script works for
// both. Two cases differ, because the kernel maps no users there: "none", and root on a machine without user
// namespaces. There the command has the caller's own user; if that is root, it keeps of root's capabilities
// only the four about file ownership, since user 0 without those could not even unpack an archive.
//
// # What it is not
//
// It keeps honest builds honest and clumsy ones harmless. It is no prison for hostile code: what the caller can
// read, the command can read, and the kernel is shared.
package sandbox
