package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/state"
	"esd/internal/view"
	"esd/internal/workspace"
)

// versionInfo is what `esd version` says.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	// StateFormat and PlanFormat are the versions of the formats that are
	// written.
	StateFormat int `json:"state_format_version"`
	PlanFormat  int `json:"plan_format_version"`
}

func newVersionCommand(a *app) *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which esd this is",
		Args:  between(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			if err := f.check(formatJSON); err != nil {
				return err
			}
			info := readVersion()
			if f == formatJSON {
				return view.JSON(a.io.Out, info)
			}
			return view.Text(a.io.Out, info.text(), a.io.OutView)
		}),
	}
	f.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	return cmd
}

// readVersion adds to the version what the compiler left in the program.
func readVersion() versionInfo {
	v := versionInfo{
		Version: Version, Go: runtime.Version(), Platform: workspace.HostPlatform(),
		StateFormat: state.FormatVersion, PlanFormat: plan.FormatVersion,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.time":
				v.Time = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	return v
}

func (v versionInfo) text() string {
	text := "esd " + v.Version + "\n"
	if v.Revision != "" {
		text += "revision " + v.Revision
		if v.Modified {
			text += ", modified"
		}
		text += " (" + v.Time + ")\n"
	}
	return text + v.Go + " on " + v.Platform + "\n"
}
