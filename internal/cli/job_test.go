package cli

import "testing"

func TestTheJobOfCIIsFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"nowhere": {nil, ""},
		"GitLab":  {map[string]string{"CI_JOB_URL": "https://gitlab.example.org/g/p/-/jobs/7", "CI_PIPELINE_URL": "x"}, "https://gitlab.example.org/g/p/-/jobs/7"},
		"GitHub": {map[string]string{"GITHUB_SERVER_URL": "https://github.example.org/", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "42"},
			"https://github.example.org/o/r/actions/runs/42"},
		"half of GitHub": {map[string]string{"GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "42"}, ""},
		"Jenkins":        {map[string]string{"BUILD_URL": "http://jenkins.example.org/job/x/3/"}, "http://jenkins.example.org/job/x/3/"},
		"Azure": {map[string]string{"SYSTEM_COLLECTIONURI": "https://dev.example.org/o/", "SYSTEM_TEAMPROJECT": "my lab", "BUILD_BUILDID": "9"},
			"https://dev.example.org/o/my%20lab/_build/results?buildId=9"},
		"Bitbucket":                        {map[string]string{"BITBUCKET_REPO_FULL_NAME": "t/r", "BITBUCKET_BUILD_NUMBER": "5"}, "https://bitbucket.org/t/r/pipelines/results/5"},
		"an address with a password":       {map[string]string{"CI_JOB_URL": "https://me:s3cr3t@ci.example.org/7"}, "https://ci.example.org/7"},
		"something that is no web address": {map[string]string{"BUILD_URL": "javascript:alert(1)"}, ""},
	} {
		a := &app{io: IO{Getenv: func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok }}}
		if got := a.job(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
