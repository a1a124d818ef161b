package plan

import "esd/internal/graph"

// Forecast is what a plan is expected to cost. It comes from what the same
// steps took before and says what it does not know.
type Forecast struct {
	// CPUs is what the forecast assumes.
	CPUs int `json:"cpus"`
	// Seconds of wall-clock time at the least: the longest path through the
	// steps, or all work spread over the processors, whichever is more. Only
	// steps with a record count.
	Seconds float64 `json:"seconds"`
	// WorkSeconds is the sum over the steps.
	WorkSeconds float64 `json:"work_seconds"`
	// Unknown is the number of steps that were never done before.
	Unknown int `json:"unknown"`
	// Critical are the steps of the longest path, first to last.
	Critical []string `json:"critical,omitempty"`
	// Download and Upload in bytes, as far as they are known, and the numbers
	// of steps of which they are not.
	Download        int64 `json:"download"`
	Upload          int64 `json:"upload"`
	UnknownDownload int   `json:"unknown_download,omitempty"`
	UnknownUpload   int   `json:"unknown_upload,omitempty"`
}

// forecast adds up what is known of the steps.
func (p *planner) forecast(out *Plan, dag *graph.DAG) {
	f := Forecast{CPUs: max(p.req.CPUs, 1)}
	var area float64
	for _, s := range out.Steps {
		addBytes(s.Download, &f.Download, &f.UnknownDownload)
		addBytes(s.Upload, &f.Upload, &f.UnknownUpload)
		if s.Seconds < 0 {
			f.Unknown++
			continue
		}
		f.WorkSeconds += s.Seconds
		area += s.Seconds * float64(min(max(s.Resources.CPUs, 1), f.CPUs))
	}
	if f.WorkSeconds > 0 {
		position := positions(out)
		path, total := dag.CriticalPath(func(node int) float64 {
			return max(out.Steps[position[dag.ID(node)]].Seconds, 0)
		})
		for _, node := range path {
			f.Critical = append(f.Critical, dag.ID(node))
		}
		f.Seconds = max(total, area/float64(f.CPUs))
	}
	out.Forecast = f
}

func addBytes(n int64, sum *int64, unknown *int) {
	if n < 0 {
		*unknown++
		return
	}
	*sum += n
}
