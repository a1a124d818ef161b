package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/view"
)

// planReports are the files that are written of a plan, beside what is shown of
// it.
type planReports struct {
	json, markdown, gitlab reportFile
	commentID              commentID
}

func (r *planReports) add(cmd *cobra.Command) {
	r.json.add(cmd, "json-into", "write the JSON document into `FILE`, whatever else is shown")
	r.markdown.add(cmd, "markdown-into", "write the comment for a merge request into `FILE`")
	r.gitlab.add(cmd, "gitlab-report", "write what GitLab reads as artifacts:reports:terraform into `FILE`")
	cmd.Flags().Var(&r.commentID, "comment-id", "what tells the comments of several plans in one merge request apart, an `ID` (default: the name of the configuration)")
}

func (r *planReports) named() []namedFile {
	return []namedFile{
		{"--json-into", string(r.json)}, {"--markdown-into", string(r.markdown)}, {"--gitlab-report", string(r.gitlab)},
	}
}

// ofPlansOnly names an option that was given and is for plans only.
func (r *planReports) ofPlansOnly() string {
	switch {
	case r.markdown != "":
		return "--markdown-into"
	case r.gitlab != "":
		return "--gitlab-report"
	case r.commentID != "":
		return "--comment-id"
	}
	return ""
}

func (r *planReports) comment() view.MarkdownOptions {
	return view.MarkdownOptions{ID: string(r.commentID)}
}

// write writes all that were asked for, also when one of them fails.
func (r *planReports) write(p *plan.Plan) error {
	files := r.named()
	return errors.Join(
		writeReport(files[0], func(w io.Writer) error { return view.PlanJSON(w, p) }),
		writeReport(files[1], func(w io.Writer) error { return view.PlanMarkdown(w, p, r.comment()) }),
		writeReport(files[2], func(w io.Writer) error { return view.GitLabReport(w, p) }),
	)
}

// commentID is what tells comments apart.
type commentID string

var commentIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

// Set implements [pflag.Value].
func (c *commentID) Set(s string) error {
	if !commentIDs.MatchString(s) {
		return fmt.Errorf("at most 100 letters, digits, dots, slashes, dashes and underscores are expected, the first a letter or a digit")
	}
	*c = commentID(s)
	return nil
}

// String implements [pflag.Value].
func (c *commentID) String() string { return string(*c) }

// Type implements [pflag.Value].
func (*commentID) Type() string { return "ID" }
