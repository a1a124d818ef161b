package view

import (
	"encoding/json"
	"io"

	"esd/internal/addr"
	"esd/internal/plan"
)

// PlanJSON writes a plan as one JSON document: Terraform's names where the
// meanings agree, esd's own beside them (formats.md). Equal plans give equal
// bytes. It holds no sensitive value.
func PlanJSON(w io.Writer, p *plan.Plan) error {
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("esd_version", p.ESDVersion)
	d.member("mode", p.Mode)
	d.member("applyable", !p.Empty())
	d.member("complete", len(p.Selection.Targets)+len(p.Selection.Excludes) == 0)
	d.member("errored", false)
	d.member("config", p.Config)
	d.member("state", p.State)
	d.member("selection", p.Selection)
	d.list("resource_changes", len(p.Changes), func(i int) any { return resourceChangeOf(&p.Changes[i], p.Mode) })
	var drift []*plan.Change
	for i := range p.Changes {
		if p.Changes[i].Drift {
			drift = append(drift, &p.Changes[i])
		}
	}
	d.list("resource_drift", len(drift), func(i int) any { return resourceDriftOf(drift[i]) })
	d.member("output_changes", outputChangesOf(p.Outputs))
	d.list("steps", len(p.Steps), func(i int) any { return stepOf(&p.Steps[i]) })
	d.member("summary", p.Summary)
	d.member("forecast", p.Forecast)
	d.member("warnings", append([]string{}, p.Warnings...))
	return d.close()
}

// resourceChange is one object in Terraform's terms, and in ours under "esd".
type resourceChange struct {
	Address         string        `json:"address"`
	PreviousAddress string        `json:"previous_address,omitempty"`
	ModuleAddress   string        `json:"module_address,omitempty"`
	Mode            string        `json:"mode"`
	Type            string        `json:"type"`
	Name            string        `json:"name"`
	Index           *string       `json:"index,omitempty"`
	ProviderName    string        `json:"provider_name"`
	Change          changeValues  `json:"change"`
	ActionReason    string        `json:"action_reason,omitempty"`
	ESD             *changeDetail `json:"esd,omitempty"`
}

// changeValues is what was and what will be. Nothing in it is sensitive: records
// hold nothing that is.
type changeValues struct {
	Actions         []string       `json:"actions"`
	Before          map[string]any `json:"before"`
	After           map[string]any `json:"after"`
	AfterUnknown    map[string]any `json:"after_unknown"`
	BeforeSensitive sensitivity    `json:"before_sensitive"`
	AfterSensitive  sensitivity    `json:"after_sensitive"`
	Importing       *importing     `json:"importing,omitempty"`
}

// sensitivity says that nothing in an object is sensitive, as Terraform does: with
// an empty object, or with false where there is no object.
type sensitivity bool

// MarshalJSON implements [json.Marshaler].
func (exists sensitivity) MarshalJSON() ([]byte, error) {
	if exists {
		return []byte("{}"), nil
	}
	return []byte("false"), nil
}

type importing struct {
	ID string `json:"id"`
}

type changeDetail struct {
	Action plan.Action `json:"action"`
	Reason string      `json:"reason,omitempty"`
	Title  string      `json:"title,omitempty"`
	// Environment is that of a package of Spack.
	Environment string   `json:"environment,omitempty"`
	Asked       bool     `json:"asked,omitempty"`
	Causes      []string `json:"causes,omitempty"`
	Cause       string   `json:"cause,omitempty"`
	NeededBy    string   `json:"needed_by,omitempty"`
	Drift       bool     `json:"drift,omitempty"`
	Key         string   `json:"key,omitempty"`
	PriorKey    string   `json:"prior_key,omitempty"`
}

// terraformActions says an action in Terraform's words: a package that is built
// is created, or updated if another version was recorded; one that is fetched is
// read, since it exists and stays as it is.
func terraformActions(c *plan.Change) []string {
	switch c.Action {
	case plan.Fetch:
		return []string{"read"}
	case plan.Build:
		if c.PriorKey != "" && c.PriorKey != c.Key {
			return []string{"update"}
		}
		return []string{"create"}
	case plan.Create:
		return []string{"create"}
	case plan.Update, plan.Push:
		return []string{"update"}
	case plan.Remove:
		return []string{"delete"}
	case plan.Forget:
		return []string{"forget"}
	case plan.Adopt, plan.Refresh, plan.Move, plan.NoOp:
	}
	return []string{"no-op"}
}

func resourceOf(address, kind string) resourceChange {
	r := resourceChange{Address: address, Mode: "managed", Type: kind, Name: address, ProviderName: "esd"}
	if a, err := addr.Parse(address); err == nil {
		r.ModuleAddress, r.Type, r.Name = a.Module, a.Kind, a.Name
		switch {
		case a.Package != "":
			r.Type, r.Name = packageKind, a.Package
		case a.Keyed:
			r.Index = &a.Key
		}
	}
	return r
}

// actionReason is Terraform's word for why, where it has one that means the same.
func actionReason(c *plan.Change, mode plan.Mode) string {
	if mode == plan.Apply && (c.Action == plan.Remove || c.Action == plan.Forget) {
		return "delete_because_no_resource_config"
	}
	return ""
}

func resourceChangeOf(c *plan.Change, mode plan.Mode) resourceChange {
	r := resourceOf(c.Address, c.Kind)
	r.PreviousAddress, r.ActionReason = c.From, actionReason(c, mode)
	environment, _ := placeOf(c.Kind, c.Address)
	r.ESD = &changeDetail{c.Action, c.Reason, c.Title, environment, c.Asked, c.Causes, c.Cause, c.NeededBy, c.Drift, c.Key, c.PriorKey}
	r.Change = changeValues{Actions: terraformActions(c), AfterUnknown: map[string]any{}}
	switch action := r.Change.Actions[0]; {
	case c.Action == plan.Remove || c.Action == plan.Forget:
		r.Change.Before = withKey(c.Attributes, c.PriorKey)
	case action == "no-op":
		r.Change.Before = withKey(c.Attributes, c.Key)
		r.Change.After = r.Change.Before
	default:
		r.Change.After = withKey(c.Attributes, c.Key)
		switch {
		case action == "update" && c.PriorKey != "":
			r.Change.Before = withKey(c.Prior, c.PriorKey)
		case action == "update": // a package that gets to one more cache
			r.Change.Before = r.Change.After
		}
		for _, name := range c.Unknown {
			r.Change.AfterUnknown[name] = true
		}
	}
	r.Change.BeforeSensitive, r.Change.AfterSensitive = r.Change.Before != nil, r.Change.After != nil
	if c.Action == plan.Adopt {
		r.Change.Importing = &importing{c.Key}
	}
	return r
}

// resourceDriftOf tells of an object that is not as it was recorded. What it
// is instead is known in words only.
func resourceDriftOf(c *plan.Change) resourceChange {
	r := resourceOf(c.Address, c.Kind)
	r.ESD = &changeDetail{Action: c.Action, Reason: c.Reason, Drift: true, PriorKey: c.PriorKey}
	r.Change = changeValues{
		Actions: []string{"update"}, Before: withKey(c.Prior, c.PriorKey), AfterUnknown: map[string]any{}, BeforeSensitive: true,
	}
	if c.Action == plan.Create || c.Action == plan.Build || c.Action == plan.Forget {
		r.Change.Actions = []string{"delete"}
		return r
	}
	r.Change.After, r.Change.AfterSensitive = map[string]any{}, true
	r.Change.AfterUnknown["key"] = true
	return r
}

func withKey(attributes map[string]any, key string) map[string]any {
	m := make(map[string]any, len(attributes)+1)
	for name, v := range attributes {
		m[name] = v
	}
	if key != "" {
		m["key"] = key
	}
	return m
}

// outputValues is the change of an output in Terraform's terms.
type outputValues struct {
	Actions         []string        `json:"actions"`
	Before          json.RawMessage `json:"before"`
	After           json.RawMessage `json:"after"`
	AfterUnknown    bool            `json:"after_unknown"`
	BeforeSensitive bool            `json:"before_sensitive"`
	AfterSensitive  bool            `json:"after_sensitive"`
}

func outputChangesOf(list []plan.OutputChange) map[string]outputValues {
	changes := make(map[string]outputValues, len(list))
	for _, c := range list {
		v := outputValues{
			Actions: terraformActions(&plan.Change{Action: outputAction(c)}), Before: c.Before, After: c.After,
			AfterUnknown: c.Unknown, BeforeSensitive: c.Sensitive, AfterSensitive: c.Sensitive && !c.Removed,
		}
		if c.Sensitive {
			v.Before, v.After = nil, nil
		}
		changes[c.Name] = v
	}
	return changes
}
