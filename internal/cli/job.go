package cli

import (
	"net/url"
	"strings"
)

// job is the address of the CI job in which this runs, for whoever finds the
// state locked; empty outside of CI, and where the system does not say.
func (a *app) job() string {
	get := func(name string) string {
		value, _ := a.io.Getenv(name)
		return strings.TrimSpace(value)
	}
	for _, address := range []string{
		get("CI_JOB_URL"),             // GitLab
		githubJob(get),                // GitHub, Gitea and Forgejo Actions
		get("BUILD_URL"),              // Jenkins
		get("BUILDKITE_BUILD_URL"),    // Buildkite
		get("CIRCLE_BUILD_URL"),       // CircleCI
		get("CI_PIPELINE_FORGE_URL"),  // Woodpecker
		get("DRONE_BUILD_LINK"),       // Drone
		get("TRAVIS_JOB_WEB_URL"),     // Travis CI
		get("SEMAPHORE_WORKFLOW_URL"), // Semaphore
		azureJob(get), bitbucketJob(get),
	} {
		if address = webAddress(address); address != "" {
			return address
		}
	}
	return ""
}

func githubJob(get func(string) string) string {
	server, repository, run := get("GITHUB_SERVER_URL"), get("GITHUB_REPOSITORY"), get("GITHUB_RUN_ID")
	if server == "" || repository == "" || run == "" {
		return ""
	}
	return strings.TrimSuffix(server, "/") + "/" + repository + "/actions/runs/" + run
}

func azureJob(get func(string) string) string {
	server, project, build := get("SYSTEM_COLLECTIONURI"), get("SYSTEM_TEAMPROJECT"), get("BUILD_BUILDID")
	if server == "" || project == "" || build == "" {
		return ""
	}
	return strings.TrimSuffix(server, "/") + "/" + url.PathEscape(project) + "/_build/results?buildId=" + url.QueryEscape(build)
}

func bitbucketJob(get func(string) string) string {
	repository, build := get("BITBUCKET_REPO_FULL_NAME"), get("BITBUCKET_BUILD_NUMBER")
	if repository == "" || build == "" {
		return ""
	}
	return "https://bitbucket.org/" + repository + "/pipelines/results/" + build
}

// webAddress is an address as it may stand in a lock, which everybody can read:
// of the web, and without a password. Anything else gives none.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	u.User = nil
	return u.String()
}
