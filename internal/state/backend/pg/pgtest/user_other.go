//go:build !unix

package pgtest

import "os/exec"

// Own gives a directory to the user of the server.
func (s *Server) Own(string) error { return nil }

func (s *Server) demote(*exec.Cmd) error { return nil }
