package view

import (
	"fmt"
	"strings"

	"esd/internal/plan"
)

const (
	maxPath    = 6 // objects of the critical path that are named
	maxUnknown = 4 // builds of unknown duration that are named
	// leastTold is from how many seconds on something is worth naming on a path.
	leastTold = 0.05
)

// forecast writes what the plan is expected to cost.
func (v planView) forecast() {
	for i, text := range forecastLines(v.plan, v.pick(" -> ", " → ")) {
		prefix := "Forecast: "
		if i > 0 {
			prefix = "          "
		}
		if v.Width > 0 && v.Width < 40 && i > 0 {
			prefix = "  "
		}
		v.wrapped(prefix, text)
	}
}

// forecastLines says in words what a plan is expected to cost, and what is not
// known of that. None for a plan that builds nothing and of which nothing is
// known, and for a destroy, which costs nothing that anybody would wait for.
func forecastLines(p *plan.Plan, arrow string) []string {
	f, steps := p.Forecast, len(p.Steps)
	unknown := unknownBuilds(p)
	nothing := f.Unknown >= steps && f.Download == 0 && f.Upload == 0
	switch {
	case p.Mode == plan.Destroy || nothing && p.Summary.Build == 0:
		return nil
	case nothing:
		return []string{forecastTime(p, unknown)}
	}
	lines := []string{forecastTime(p, unknown)}
	for _, line := range []string{forecastBytes(p), forecastMemory(p), criticalPath(p, arrow)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// forecastBytes says what crosses the network; empty where nothing does.
func forecastBytes(p *plan.Plan) string {
	f, steps := p.Forecast, len(p.Steps)
	if f.Download+f.Upload == 0 && f.UnknownDownload+f.UnknownUpload == 0 {
		return ""
	}
	return fmt.Sprintf("download %s, upload %s", amount(f.Download, f.UnknownDownload, steps), amount(f.Upload, f.UnknownUpload, steps))
}

// forecastMemory says how much memory the largest step took before, and of how
// many builds that is not known; empty where none is known, or nothing is built.
func forecastMemory(p *plan.Plan) string {
	f := p.Forecast
	if f.PeakMemory == 0 {
		return ""
	}
	text := "peak memory " + Bytes(f.PeakMemory)
	for i := range p.Steps {
		if s := &p.Steps[i]; s.ID == f.PeakStep {
			text += " (" + s.Op + " " + plainName(s.Kind, s.Address) + ")"
			break
		}
	}
	if f.Memory > 0 && f.PeakMemory > f.Memory {
		text += ", more than the " + Bytes(f.Memory) + " that there are"
	}
	if f.UnknownMemory > 0 {
		text += "; unknown for " + Plural(f.UnknownMemory, "build")
	}
	return text
}

// unknownBuilds names what is built and has never been before, as far as is
// known: what was asked for first.
func unknownBuilds(p *plan.Plan) []string {
	asked := map[string]bool{}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Asked {
			asked[c.Address] = true
		}
	}
	var first, others []string
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Op != string(plan.Build) || s.Seconds >= 0 {
			continue
		}
		if name := plainName(s.Kind, s.Address); asked[s.Address] {
			first = append(first, name)
		} else {
			others = append(others, name)
		}
	}
	return append(first, others...)
}

// plainName is what people call an object: a package of an environment by its
// name only.
func plainName(kind, address string) string {
	if environment, name := placeOf(kind, address); environment != "" {
		return bareName(name)
	}
	return address
}

func forecastTime(p *plan.Plan, builds []string) string {
	f, steps := p.Forecast, len(p.Steps)
	where := seconds(f.Seconds) + " on " + Plural(f.CPUs, "CPU") + coreTime(f)
	switch all := p.Summary.Build; {
	case f.Unknown == 0:
		return "about " + where
	case f.Unknown >= steps && len(builds) == 1 && all == 1:
		return "time unknown: " + builds[0] + " was not built before"
	case f.Unknown >= steps && len(builds) == all && all > 1:
		return fmt.Sprintf("time unknown: none of the %s to build was built before", Plural(all, "package"))
	case f.Unknown >= steps && steps == 1:
		return "time unknown: the step has no recorded duration"
	case f.Unknown >= steps:
		return fmt.Sprintf("time unknown: none of the %s has a recorded duration", Plural(steps, "step"))
	case len(builds) > 0:
		return fmt.Sprintf("at least %s; not known how long it takes to build %s", where, fewOf(builds, maxUnknown))
	case f.Unknown == 1:
		return fmt.Sprintf("at least %s; 1 of %s has no recorded duration", where, Plural(steps, "step"))
	}
	return fmt.Sprintf("at least %s; %s of %s have no recorded duration", where, Number(f.Unknown), Plural(steps, "step"))
}

// leastCoreTime is from how many seconds on the time of all processors together is
// told.
const leastCoreTime = 60

// coreTime is the time of all processors together, as accounts are kept of it.
func coreTime(f plan.Forecast) string {
	switch {
	case f.CoreSeconds < leastCoreTime:
		return ""
	case f.CoreSeconds < 3600:
		return fmt.Sprintf(" (%.0f core-minutes)", f.CoreSeconds/60)
	case f.CoreSeconds < 100*3600:
		return fmt.Sprintf(" (%.1f core-hours)", f.CoreSeconds/3600)
	}
	return " (" + Number(int(f.CoreSeconds/3600+0.5)) + " core-hours)"
}

// amount writes bytes of which some are not known.
func amount(known int64, unknown, steps int) string {
	switch {
	case unknown == 0:
		return Bytes(known)
	case known == 0 && unknown == steps:
		return "unknown"
	case known == 0:
		return "unknown for " + Plural(unknown, "step")
	}
	return Bytes(known) + " and the unknown of " + Plural(unknown, "step")
}

type pathPart struct {
	address, name string
	seconds       float64
}

// criticalPath names the objects on the longest path, those that take longest
// if they are many.
func criticalPath(p *plan.Plan, arrow string) string {
	parts, total := pathParts(p)
	if len(parts) == 0 {
		return ""
	}
	named := longest(parts, maxPath)
	var names []string
	for i, part := range parts {
		switch {
		case named[i]:
			names = append(names, fmt.Sprintf("%s (%s)", part.name, seconds(part.seconds)))
		case i == 0 || named[i-1]:
			names = append(names, "...")
		}
	}
	return fmt.Sprintf("longest path %s: %s", seconds(total), strings.Join(names, arrow))
}

// pathParts sums the steps of the critical path by object, and leaves out what
// takes no time.
func pathParts(p *plan.Plan) (parts []pathPart, total float64) {
	if len(p.Forecast.Critical) == 0 {
		return nil, 0
	}
	step := make(map[string]*plan.Step, len(p.Steps))
	for i := range p.Steps {
		step[p.Steps[i].ID] = &p.Steps[i]
	}
	for _, id := range p.Forecast.Critical {
		s := step[id]
		if s == nil || s.Seconds >= 0 && s.Seconds < leastTold {
			continue
		}
		if n := len(parts); n == 0 || parts[n-1].address != s.Address {
			parts = append(parts, pathPart{s.Address, plainName(s.Kind, s.Address), -1})
		}
		if s.Seconds >= 0 {
			last := &parts[len(parts)-1]
			last.seconds = max(last.seconds, 0) + s.Seconds
			total += s.Seconds
		}
	}
	return tellApart(parts), total
}

// tellApart gives packages of the same name their addresses back.
func tellApart(parts []pathPart) []pathPart {
	count := map[string]int{}
	for _, part := range parts {
		count[part.name]++
	}
	for i, part := range parts {
		if count[part.name] > 1 {
			parts[i].name = part.address
		}
	}
	return parts
}

// longest marks the n parts that take longest.
func longest(parts []pathPart, n int) map[int]bool {
	marked := map[int]bool{}
	for range min(n, len(parts)) {
		best := -1
		for i, part := range parts {
			if !marked[i] && (best < 0 || part.seconds > parts[best].seconds) {
				best = i
			}
		}
		marked[best] = true
	}
	return marked
}
