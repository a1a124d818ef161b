package plan

import "esd/internal/graph"

// Forecast is what a plan is expected to cost. It comes from what the same
// steps, or like ones, took before, and says what it does not know.
type Forecast struct {
	// CPUs and Memory (bytes; 0 for no limit) are what the forecast assumes.
	CPUs   int   `json:"cpus"`
	Memory int64 `json:"memory,omitempty"`
	// Seconds of wall-clock time: how long the run takes on these processors and
	// with this memory, in the order in which apply starts steps. Steps without a
	// record count as nothing, so where there are any, it takes longer.
	Seconds float64 `json:"seconds"`
	// WorkSeconds is the sum over the steps, and CoreSeconds that of the steps
	// times the processors that they occupy.
	WorkSeconds float64 `json:"work_seconds"`
	CoreSeconds float64 `json:"core_seconds"`
	// Unknown is the number of steps that were never done before.
	Unknown int `json:"unknown"`
	// Critical are the steps of the longest path, first to last, and
	// CriticalSeconds how long they take: no number of processors makes the run
	// shorter.
	Critical        []string `json:"critical,omitempty"`
	CriticalSeconds float64  `json:"critical_seconds,omitempty"`
	// Download and Upload in bytes, as far as they are known: from caches, or, for
	// what is built, from how large the product was before. Of the other steps
	// only the numbers are known.
	Download        int64 `json:"download"`
	Upload          int64 `json:"upload"`
	UnknownDownload int   `json:"unknown_download,omitempty"`
	UnknownUpload   int   `json:"unknown_upload,omitempty"`
	// PeakMemory in bytes is what the step that takes most took before, and
	// PeakStep is that step; 0 where none was measured. UnknownMemory is the
	// number of builds that were never measured.
	PeakMemory    int64  `json:"peak_memory,omitempty"`
	PeakStep      string `json:"peak_step,omitempty"`
	UnknownMemory int    `json:"unknown_memory,omitempty"`
}

// forecast adds up what is known of the steps.
func (p *planner) forecast(out *Plan, dag *graph.DAG) {
	out.Forecast = forecastOf(out.Steps, dag, p.req.CPUs, p.req.Memory)
}

// forecastOf is the forecast for steps that stand in the order of their graph.
func forecastOf(steps []Step, dag *graph.DAG, cpus int, memory int64) Forecast {
	f := Forecast{CPUs: max(cpus, 1), Memory: memory}
	for i := range steps {
		s := &steps[i]
		f.addBytes(s)
		f.addMemory(s)
		if s.Seconds < 0 {
			f.Unknown++
			continue
		}
		f.WorkSeconds += s.Seconds
		f.CoreSeconds += s.Seconds * float64(min(max(s.Resources.CPUs, 1), f.CPUs))
	}
	if f.WorkSeconds > 0 {
		at := stepAt(dag)
		path, total := dag.CriticalPath(func(node int) float64 { return max(steps[at[node]].Seconds, 0) })
		for _, node := range path {
			f.Critical = append(f.Critical, dag.ID(node))
		}
		f.CriticalSeconds, f.Seconds = total, makespan(steps, dag, f.CPUs, memory)
	}
	return f
}

// addBytes counts what crosses the network. Of what is built nobody knows the
// size before, but that of the last one is near.
func (f *Forecast) addBytes(s *Step) {
	upload := s.Upload
	if upload < 0 && Action(s.Op) == Build && s.Size > 0 {
		upload = s.Size
	}
	addBytes(s.Download, &f.Download, &f.UnknownDownload)
	addBytes(upload, &f.Upload, &f.UnknownUpload)
}

func addBytes(n int64, sum *int64, unknown *int) {
	if n < 0 {
		*unknown++
		return
	}
	*sum += n
}

func (f *Forecast) addMemory(s *Step) {
	switch {
	case s.PeakMemory > f.PeakMemory:
		f.PeakMemory, f.PeakStep = s.PeakMemory, s.ID
	case s.PeakMemory == 0 && Action(s.Op) == Build:
		f.UnknownMemory++
	}
}
