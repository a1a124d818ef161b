package e2e

import "testing"

func TestTwoEnvironmentsWithOneFileForTheirLocksAreRefused(t *testing.T) {
	t.Parallel()
	s := newToys(1)
	text, _ := s.lock(t)
	m := newMachine(t, nil)
	m.write(map[string]string{
		"esd.hcl":                  "environment \"sim\" {\n  for_each = toset([\"a b\", \"a-b\"])\n  specs    = [\"" + s.names[0] + "\"]\n}\n",
		"locks/sim-a-b.spack.lock": text,
	})
	r := m.want(1, "lock", "--adopt", "--auto-approve")
	wantSays(t, r, `environment.sim["a b"]`, "sim-a-b.spack.lock")
}
