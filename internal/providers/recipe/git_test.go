package recipe

import (
	"errors"
	"testing"
)

func TestFailureOfGitIsTriedAgainOnlyIfItMayGoAway(t *testing.T) {
	for name, c := range map[string]struct {
		said, want string
		again      bool
	}{
		"an unknown host": {"fatal: unable to access 'https://u:s3cr3t@h/x/': Could not resolve host: h\n",
			"fatal: unable to access 'https://h/x/': Could not resolve host: h", true},
		"a broken transfer": {"error: RPC failed; curl 18\nfetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output\n",
			"fatal: early EOF; fatal: fetch-pack: invalid index-pack output", true},
		"a server in trouble": {"fatal: unable to access 'https://h/x/': The requested URL returned error: 503\n",
			"fatal: unable to access 'https://h/x/': The requested URL returned error: 503", true},
		"a repository that is not there": {"remote: Repository not found.\nfatal: repository 'https://h/x/' not found\n",
			"remote: Repository not found.; fatal: repository 'https://h/x/' not found", false},
		"a refused login": {"fatal: Authentication failed for 'https://h/x/'\n", "fatal: Authentication failed for 'https://h/x/'", false},
		"a refused key": {"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n",
			"git@h: Permission denied (publickey).; fatal: Could not read from remote repository.", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := &gitError{"fetch", c.said, errors.New("exit status 128")}
			if got, want := err.Error(), "git fetch: exit status 128: "+c.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if err.mayGoAway() != c.again {
				t.Errorf("tried again: %v, want %v", err.mayGoAway(), c.again)
			}
		})
	}
}
