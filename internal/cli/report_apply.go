package cli

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/view"
	"esd/internal/workspace"
)

// runReports are the files that are written of a run, beside what is shown of
// it.
type runReports struct {
	stream, junit, summary reportFile

	file  *os.File // the open stream
	ended view.Ended
	now   func() time.Time
}

func (r *runReports) add(cmd *cobra.Command) {
	r.stream.add(cmd, "json-into", "write the events into `FILE`, one a line as JSON, whatever else is shown")
	r.junit.add(cmd, "junit", "write a JUnit report of the steps into `FILE`, however the run ends")
	r.summary.add(cmd, "summary", "write what was done, with times, sizes and logs, as JSON into `FILE`, however the run ends")
}

func (r *runReports) named() []namedFile {
	return []namedFile{{"--json-into", string(r.stream)}, {"--junit", string(r.junit)}, {"--summary", string(r.summary)}}
}

// begin makes sure that all can be written, and opens the stream.
func (r *runReports) begin(command string, planFile namedFile) error {
	r.now = time.Now
	r.ended = view.Ended{ESDVersion: Version, Command: command, Started: r.now()}
	r.ended.Dir, _ = os.Getwd() // without it, paths stay absolute
	if err := checkFiles(r.named(), planFile); err != nil {
		return err
	}
	if err := claim(r.named()); err != nil || r.stream == "" {
		return err
	}
	var err error
	r.file, err = openStream(r.named()[0])
	return err
}

// take takes note of what became of an apply.
func (r *runReports) take(applied *workspace.Applied) {
	if applied == nil {
		return
	}
	r.ended.Report, r.ended.LogDir = applied.Report, applied.LogDir
	if applied.Planned == nil {
		return
	}
	r.planned(applied.Planned)
	if st := applied.State; st != nil {
		r.ended.State = plan.StateID{Lineage: st.Lineage, Serial: st.Serial}
		r.ended.Durations = st.Durations
		if applied.Report == nil || !applied.Report.Unrecorded {
			r.ended.Outputs = st.Outputs
		}
	}
}

// planned takes note of a plan as soon as there is one.
func (r *runReports) planned(p *workspace.Planned) {
	r.ended.Plan, r.ended.Warnings = p.Plan, p.Warnings
	if p.Resolved == nil {
		return
	}
	files := declaredIn(p.Resolved.Objects)
	r.ended.File = func(address string) string {
		if a, err := addr.Parse(address); err == nil && a.Package != "" {
			address = a.Whole().String()
		}
		return files[address]
	}
}

// declaredIn tells in which files objects are declared.
func declaredIn(objects []*providers.Object) map[string]string {
	files := make(map[string]string, len(objects))
	for _, o := range objects {
		files[o.Address.String()] = o.Range.Filename
	}
	return files
}

// write writes the reports of a run that has ended with an error or without.
func (r *runReports) write(err error, code int, files map[string]*hcl.File) error {
	if r.junit == "" && r.summary == "" {
		return nil
	}
	e := &r.ended
	e.Err, e.Files, e.Code, e.Result, e.Elapsed = err, files, code, resultName(code), r.now().Sub(e.Started)
	list := r.named()
	return errors.Join(
		writeReport(list[1], func(w io.Writer) error { return view.JUnit(w, e) }),
		writeReport(list[2], func(w io.Writer) error { return view.SummaryJSON(w, e) }),
	)
}

// close ends the stream.
func (r *runReports) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// codeOf is the exit code that an error will have.
func (a *app) codeOf(err error) int {
	code := exitCode(err)
	if code == ExitError && a.out.broken() && errors.Is(err, errReaderGone) {
		return ExitReaderGone
	}
	return code
}

// besides adds the error of a report to that of a run, whose exit code stays.
func (a *app) besides(err, report error) error {
	switch {
	case report == nil:
		return err
	case err == nil || err.Error() != "":
		return errors.Join(err, report)
	}
	return &codeError{a.codeOf(err), report}
}

// resultName is the name of an exit code, as a word.
func resultName(code int) string {
	for _, c := range ExitCodes {
		if c.Code == code {
			return strings.ReplaceAll(c.Name, " ", "_")
		}
	}
	return "error"
}
