package view

import (
	"fmt"
	"strings"

	"esd/internal/plan"
)

// maxPath is how many objects of the critical path are named.
const maxPath = 5

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
// known of that. None for a plan of which nothing is known, and for a destroy,
// which costs nothing that anybody would wait for.
func forecastLines(p *plan.Plan, arrow string) []string {
	f, steps := p.Forecast, len(p.Steps)
	if p.Mode == plan.Destroy || f.Unknown >= steps && f.Download == 0 && f.Upload == 0 {
		return nil
	}
	lines := []string{
		forecastTime(f, steps),
		fmt.Sprintf("download %s, upload %s", amount(f.Download, f.UnknownDownload, steps), amount(f.Upload, f.UnknownUpload, steps)),
	}
	if path := criticalPath(p, arrow); path != "" {
		lines = append(lines, path)
	}
	return lines
}

func forecastTime(f plan.Forecast, steps int) string {
	where := seconds(f.Seconds) + " on " + Plural(f.CPUs, "CPU")
	switch {
	case f.Unknown >= steps && steps == 1:
		return "time unknown: the step has no recorded duration"
	case f.Unknown >= steps:
		return fmt.Sprintf("time unknown: none of the %s has a recorded duration", Plural(steps, "step"))
	case f.Unknown == 1:
		return fmt.Sprintf("at least %s; 1 of %s has no recorded duration", where, Plural(steps, "step"))
	case f.Unknown > 1:
		return fmt.Sprintf("at least %s; %s of %s have no recorded duration", where, Number(f.Unknown), Plural(steps, "step"))
	}
	return "about " + where
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
	address string
	seconds float64
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
			names = append(names, fmt.Sprintf("%s (%s)", part.address, seconds(part.seconds)))
		case i == 0 || named[i-1]:
			names = append(names, "...")
		}
	}
	return fmt.Sprintf("longest path %s: %s", seconds(total), strings.Join(names, arrow))
}

// pathParts sums the steps of the critical path by object.
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
		if s == nil {
			continue
		}
		if n := len(parts); n == 0 || parts[n-1].address != s.Address {
			parts = append(parts, pathPart{s.Address, -1})
		}
		if s.Seconds >= 0 {
			last := &parts[len(parts)-1]
			last.seconds = max(last.seconds, 0) + s.Seconds
			total += s.Seconds
		}
	}
	return parts, total
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
