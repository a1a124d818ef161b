package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers/environment"
	"esd/internal/state"
	"esd/internal/view"
	"esd/internal/workspace"
)

type applyCommand struct {
	*app
	planOptions
	reports     runReports
	destroy     bool   // the command is destroy
	only        string // the operation that the plan is narrowed to
	autoApprove bool
	failFast    bool
	lockTimeout string
	format      format
}

func newApplyCommand(a *app) *cobra.Command {
	c := &applyCommand{app: a}
	cmd := &cobra.Command{
		Use:   "apply [PATH|PLANFILE]",
		Short: "Do what is missing",
		Long: `Plans, asks, and does what is missing, in parallel. With a plan that was saved
by esd plan --out it does exactly that, without asking, or refuses when the
state or the configuration has moved on.

The first interrupt (^C) lets running steps finish and starts nothing more; the
second ends them. Nothing that was finished is lost either way: the next plan
starts from there.

Reports (--junit, --summary) are written however the run ends, also when it
fails or is interrupted. Those of an earlier run are removed when the command
starts.`,
		Example: `  esd apply
  esd apply --auto-approve examples/quickstart.hcl
  esd apply plan.esd                   what was saved with esd plan --out plan.esd
  esd apply --replace recipe.greet     build it again although it is as wanted
  esd apply --format=json              an event a line, for programs
  esd apply --junit junit.xml --summary summary.json plan.esd     in CI`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE:              c.runE,
	}
	c.addRefresh(cmd)
	c.addRefreshOnly(cmd)
	c.addApply(cmd)
	return cmd
}

func newDestroyCommand(a *app) *cobra.Command {
	c := &applyCommand{app: a, destroy: true, planOptions: planOptions{refresh: true}}
	cmd := &cobra.Command{
		Use:   "destroy [PATH]",
		Short: "Remove what was published, and forget what is recorded",
		Long: `Removes what targets have published and empties the state. Products in caches
stay: they are shared, and found again by their content keys.

What a block protects with lifecycle { prevent_destroy = true } is not removed:
the command refuses then.`,
		Example: `  esd plan --destroy     see what would go
  esd destroy
  esd destroy --target 'target.image.lab["zen3"]'`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE:              c.runE,
	}
	c.addApply(cmd)
	return cmd
}

func newFetchCommand(a *app) *cobra.Command {
	c := &applyCommand{app: a, only: environment.OpSources}
	cmd := &cobra.Command{
		Use:   "fetch [PATH]",
		Short: "Bring the sources of what must be built into the source mirrors",
		Long: `Plans, and does of the plan only what needs a network to build: it brings the
sources of all Spack packages that are in no build cache into the mirrors
(cache "sources") of their environments. The packages can then be built where
there is no network. esd apply does the same before it builds.`,
		Example: `  esd fetch --auto-approve       on a machine with a network
  esd apply                      on one without`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE:              c.runE,
	}
	c.addRefresh(cmd)
	c.addApply(cmd)
	return cmd
}

func (c *applyCommand) addApply(cmd *cobra.Command) {
	c.planOptions.add(cmd)
	c.reports.add(cmd)
	c.format.add(cmd, "a `FORMAT`: json, one event a line (default: for people)", formatJSON)
	f := cmd.Flags()
	f.BoolVar(&c.autoApprove, "auto-approve", false, "do not ask")
	f.BoolVar(&c.failFast, "fail-fast", false, "start nothing more after the first failure")
	f.StringVar(&c.lockTimeout, "lock-timeout", "", "how long to wait for the lock of the state, as `5m` (default: do not wait)")
}

// runE is not interruptible as a whole: an apply drains at the first
// interrupt.
func (c *applyCommand) runE(cmd *cobra.Command, args []string) error {
	c.path = first(args)
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	saved := namedFile{"the plan", c.path}
	if info, err := os.Stat(c.path); err != nil || info.IsDir() {
		saved.path = ""
	}
	if err := c.reports.begin(cmd.Name(), saved); err != nil {
		return err
	}
	out := c.newFollower()
	err := c.run(cmd.Context(), out)
	out.tell(err, c.files())
	err = errors.Join(err, out.stop())
	return c.besides(err, errors.Join(c.reports.write(err, c.codeOf(err), c.files()), c.reports.close()))
}

func (c *applyCommand) run(ctx context.Context, out *follower) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	if err := c.checkAsking(opts.Saved != nil); err != nil {
		return err
	}
	c.follow(&opts, out)
	applied, err := w.Apply(ctx, opts)
	c.reports.take(applied)
	return c.report(applied, err, out)
}

// options turns the command line into what is asked of the workspace.
func (c *applyCommand) options() (workspace.ApplyOptions, error) {
	parsed, err := c.parse()
	opts := workspace.ApplyOptions{PlanOptions: parsed, FailFast: c.failFast, Drain: c.drain}
	if err != nil {
		return opts, err
	}
	opts.Only = c.only
	if opts.Mode, err = mode(c.destroy, c.refreshOnly); err != nil {
		return opts, err
	}
	if opts.LockTimeout, err = parseTimeout("--lock-timeout", c.lockTimeout); err != nil {
		return opts, err
	}
	opts.Job = c.job()
	if !c.destroy && plan.IsFile(c.path) {
		if opts.Saved, err = plan.Load(c.path); err != nil {
			return opts, err
		}
		if err := checkPlace(c.path, opts.Saved); err != nil {
			return opts, err
		}
		return opts, c.takeSaved(opts.Saved)
	}
	if !c.destroy {
		return opts, checkPlanOrConfig(c.path)
	}
	return opts, nil
}

// checkAsking refuses a run that would have to ask where nobody answers. A path
// or a configuration that is wrong is told of before.
func (c *applyCommand) checkAsking(saved bool) error {
	if c.autoApprove || saved || c.format == "" && c.io.CanAsk {
		return nil
	}
	return usageError(errors.New("nobody can be asked here: give --auto-approve, or a plan that was saved with `esd plan --out`"))
}

// takeSaved takes what is planned from a saved plan. Only sensitive variables,
// which it does not hold, may be given besides.
func (c *applyCommand) takeSaved(p *plan.Plan) error {
	if len(c.targets)+len(c.excludes)+len(c.replaces)+len(c.varFiles) > 0 || !c.refresh || c.refreshOnly {
		return usageError(errors.New("a saved plan is done as it is: options that plan otherwise do not go with it"))
	}
	for _, assignment := range c.vars {
		name, _, _ := strings.Cut(assignment, "=")
		if !slices.Contains(p.Config.Withheld, strings.TrimSpace(name)) {
			return usageError(fmt.Errorf("--var %s: a saved plan is done as it is; only sensitive variables, which it does not hold, are given again", name))
		}
	}
	c.path, c.vars, c.varFiles = p.Config.Path, append(slices.Clone(p.Config.Variables), c.vars...), p.Config.VarFiles
	return nil
}

// follower is what shows a run while it goes on: to people or as a stream of
// events, and as a stream in a file besides.
type follower struct {
	streams  []*view.Stream
	progress view.Progress // for people; nil before the run, and with --format=json
	json     bool          // standard output is a stream
	ended    *apply.Event  // the end of the run, which streams are not told of yet
}

// event passes an event on to the streams. The end of the run has to wait until
// it is known whether what was done is recorded.
func (f *follower) event(e apply.Event) {
	if e.Kind == apply.RunDone {
		f.ended = &e
		return
	}
	for _, s := range f.streams {
		s.Event(e)
	}
}

// tellEnd tells the streams of the end of the run.
func (f *follower) tellEnd() {
	if f.ended == nil {
		return
	}
	for _, s := range f.streams {
		s.Event(*f.ended)
	}
	f.ended = nil
}

// stop ends it; calling it again does nothing.
func (f *follower) stop() error {
	err := f.stopProgress()
	for _, s := range f.streams {
		err = errors.Join(err, s.Stop())
	}
	f.streams = nil
	return err
}

// stopProgress ends a live region, so that what follows is not drawn over;
// streams go on.
func (f *follower) stopProgress() error {
	if f.progress == nil {
		return nil
	}
	p := f.progress
	f.progress = nil
	return p.Stop()
}

// tell puts an error into the streams, so that whoever reads only those knows
// why a run ended.
func (f *follower) tell(err error, files map[string]*hcl.File) {
	if err == nil || err.Error() == "" {
		return
	}
	var diags hcl.Diagnostics
	for _, s := range f.streams {
		if errors.As(err, &diags) {
			s.Diagnostics(diags, files)
		} else {
			s.Error(err)
		}
	}
}

func (c *applyCommand) newFollower() *follower {
	f := &follower{json: c.format == formatJSON}
	if f.json {
		f.streams = append(f.streams, view.NewStream(c.io.Out, Version, view.Clock{}))
	}
	if c.reports.file != nil {
		f.streams = append(f.streams, view.NewStream(c.reports.file, Version, view.Clock{}))
	}
	return f
}

// follow sets up how the run is shown.
func (c *applyCommand) follow(opts *workspace.ApplyOptions, f *follower) {
	opts.Notice = func(n state.Notice) { c.notices([]state.Notice{n}) }
	opts.Waiting = c.waiting
	opts.Confirm = func(p *workspace.Planned) (bool, error) { return c.confirm(p, opts, f) }
	opts.Events = func(e apply.Event) {
		f.event(e)
		if f.json {
			return
		}
		if f.progress == nil {
			f.progress = c.newProgress()
		}
		f.progress.Event(e)
	}
}

// newProgress shows a run on the terminal, or in a log.
func (c *applyCommand) newProgress() view.Progress {
	if c.io.ErrView.Live {
		return view.NewLive(c.io.Err, view.LiveOptions{Options: c.io.ErrView, Size: c.io.Size})
	}
	return view.NewPlain(c.io.Err, c.io.ErrView, view.Clock{})
}

// confirm shows the plan and asks.
func (c *applyCommand) confirm(p *workspace.Planned, opts *workspace.ApplyOptions, f *follower) (bool, error) {
	c.warn(p.Warnings)
	c.reports.planned(p)
	for _, s := range f.streams {
		s.Diagnostics(p.Warnings, c.files())
		s.Plan(p.Plan)
	}
	if f.json {
		return true, nil
	}
	if err := view.Plan(c.io.Out, p.Plan, c.io.OutView); err != nil {
		return false, err
	}
	if c.autoApprove || opts.Saved != nil {
		return true, nil
	}
	return c.ask(p.Plan)
}

// ask asks whether to do what the plan says.
func (c *applyCommand) ask(p *plan.Plan) (bool, error) {
	if p.Mode == plan.Destroy {
		return c.askYes("Really destroy all of this?")
	}
	return c.askYes("Do this?")
}

// askYes wants exactly "yes", as Terraform does.
func (a *app) askYes(question string) (bool, error) {
	if err := view.Prompt(a.io.Err, question+" Only \"yes\" will be accepted: ", a.io.ErrView); err != nil {
		return false, err
	}
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.io.In).ReadString('\n') // the end of the input is a no
		answers <- strings.TrimSpace(line)
	}()
	select {
	case answer := <-answers:
		return answer == "yes", nil
	case <-a.drain:
		_ = view.Text(a.io.Err, "", a.io.ErrView) // the prompt has no line break
		return false, context.Canceled
	}
}

// report shows how the run has ended and gives the exit code.
func (c *applyCommand) report(applied *workspace.Applied, err error, f *follower) error {
	if stopErr := f.stopProgress(); err == nil {
		err = stopErr
	}
	if applied == nil {
		return err
	}
	if applied.Declined {
		if err != nil {
			return err
		}
		return &codeError{ExitDeclined, errors.New("nothing was done: the plan was not agreed to")}
	}
	if applied.Report == nil {
		return c.nothingDone(applied, err, f)
	}
	f.tellEnd()
	if !applied.Report.Unrecorded { // or nobody else will ever see them
		for _, s := range f.streams {
			s.Outputs(applied.State.Outputs)
		}
	}
	if !f.json {
		_ = view.Summary(c.io.Err, applied.Report, applied.Plan, c.io.ErrView)
		if len(applied.State.Outputs) > 0 && applied.Report.OK() {
			_ = view.Outputs(c.io.Out, applied.State.Outputs, c.io.OutView)
		}
	}
	switch {
	case err != nil && applied.Report.Unrecorded:
		return err
	case err != nil:
		return fmt.Errorf("the run has ended early: %w", err)
	case applied.Report.Interrupted:
		return &codeError{code: ExitInterrupted}
	case len(applied.Report.Failed) > 0:
		return &codeError{code: ExitPartly}
	}
	return nil
}

// nothingDone shows a plan by which there was nothing to do.
func (c *applyCommand) nothingDone(applied *workspace.Applied, err error, f *follower) error {
	if err != nil {
		return err
	}
	c.warn(applied.Warnings)
	for _, s := range f.streams {
		s.Diagnostics(applied.Warnings, c.files())
		s.Plan(applied.Plan)
	}
	switch {
	case f.json:
		return nil
	case applied.Already > 0:
		return view.Text(c.io.Out, alreadyMade(applied.Already), c.io.OutView)
	}
	return view.Plan(c.io.Out, applied.Plan, c.io.OutView)
}

// alreadyMade says that all changes of a saved plan were made before.
func alreadyMade(changes int) string {
	if changes == 1 {
		return "Nothing to do: the change of this plan is made already."
	}
	return "Nothing to do: all " + view.Number(changes) + " changes of this plan are made already."
}
