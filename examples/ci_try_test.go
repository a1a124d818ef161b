package examples

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheTrialWithoutGitLabNamesAllServers keeps the command in the manual such
// that it works: whatever of GitLab's own servers the pipeline names has to be
// given, and declared to be given.
func TestTheTrialWithoutGitLabNamesAllServers(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/ci/gitlab.md")
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := os.ReadFile("ci/gitlab/gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	ignored := regexp.MustCompile(`--ignore-predefined-vars (\S+)`).FindStringSubmatch(string(page))
	if ignored == nil {
		t.Fatal("the manual has no command any more that gives predefined variables")
	}
	named := regexp.MustCompile(`\$(CI_(?:API_V4_URL|SERVER_[A-Z]+|REGISTRY(?:_IMAGE)?))\b`).FindAllStringSubmatch(string(pipeline), -1)
	if len(named) == 0 {
		t.Fatal("the pipeline names no servers")
	}
	for _, m := range named {
		if !strings.Contains(string(page), "--variable "+m[1]+"=") || !slices.Contains(strings.Split(ignored[1], ","), m[1]) {
			t.Errorf("%s is in the pipeline, but not in the command that tries it", m[1])
		}
	}
}
