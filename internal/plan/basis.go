package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// Basis is what a plan rests on beside what each of its changes does: a saved
// plan may be done as long as nothing of it has moved, whatever else has. See
// docs/decisions/0019.
type Basis struct {
	// Kept are the objects that steps use and that the plan does not change,
	// by address.
	Kept map[string]KeptBasis `json:"kept,omitempty"`
	// Settings are the blocks that steps use and that have no content key
	// (caches, executor, spack), by address: what each attribute says, as a
	// digest.
	Settings map[string]map[string]string `json:"settings,omitempty"`
	// Kinds are the kinds of settings of which all blocks serve the steps: one
	// more would serve them too.
	Kinds []string `json:"kinds,omitempty"`
}

// KeptBasis is what was known of a kept object.
type KeptBasis struct {
	// Key is the content key that was configured, Recorded the one that was
	// recorded; empty for none.
	Key      string `json:"key"`
	Recorded string `json:"recorded,omitempty"`
}

// ChangeBasis is what the decision on one object rested on, beside the content
// keys that the change names.
type ChangeBasis struct {
	// Record is a digest of what was recorded under the address that the object
	// has now; empty for nothing. When is the time of that record.
	Record    string `json:"record,omitempty"`
	When      string `json:"when,omitempty"`
	Tainted   bool   `json:"tainted,omitempty"`
	Protected bool   `json:"protected,omitempty"`
	// Inputs are those that were recorded with other values than the plan will
	// record, or that it will not; Added are those that were not recorded. With
	// [Record.Inputs] they give what was recorded.
	Inputs map[string]string `json:"inputs,omitempty"`
	Added  []string          `json:"added,omitempty"`
	// Users are the recorded objects that need one that goes, and stay.
	Users []string `json:"users,omitempty"`
	// Said is what the block said, attribute by attribute, as digests: also
	// what the content key does not cover. Packages have none.
	Said map[string]string `json:"said,omitempty"`
}

// digestLength is how many digits of a digest are kept to see that something
// moved.
const digestLength = 16

// recordDigest covers all of a record that a decision can rest on: not when it
// was made, nor under which address.
func recordDigest(o *state.Object) string {
	if o == nil {
		return ""
	}
	data := make([]byte, 0, 1024)
	for _, part := range [...]string{o.Kind, o.Key} {
		data = strconv.AppendQuote(data, part)
	}
	data = strconv.AppendBool(strconv.AppendBool(data, o.Tainted), o.PreventDestroy)
	for _, dep := range o.Dependencies {
		data = strconv.AppendQuote(data, dep)
	}
	for _, name := range sortedKeys(o.Attributes) {
		data = strconv.AppendQuote(data, name)
		if s, ok := o.Attributes[name].(string); ok {
			data = strconv.AppendQuote(data, s)
			continue
		}
		value, err := json.Marshal(o.Attributes[name])
		if err != nil { // what was read from JSON can be written as JSON
			value = fmt.Append(nil, o.Attributes[name])
		}
		data = append(data, value...)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:digestLength/2])
}

// notedSettings notes of which kinds the steps were planned with.
type notedSettings struct {
	providers.Setting
	asked map[string]bool
}

func (s *notedSettings) ByKind(kind string) []*providers.Object {
	s.asked[kind] = true
	return s.Setting.ByKind(kind)
}

// rest notes what the plan rests on.
func (p *planner) rest(out *Plan) {
	changed := make(map[string]bool, len(out.Changes))
	for _, c := range out.Changes {
		changed[c.Address] = true
	}
	users := p.recordedUsers(out)
	for i := range out.Changes {
		out.Changes[i].Basis = p.changeBasis(&out.Changes[i], users, changed)
	}
	if out.Mode != Apply {
		return
	}
	b := &Basis{Kept: map[string]KeptBasis{}, Settings: map[string]map[string]string{}, Kinds: sortedKeys(p.noted.asked)}
	working := p.working(out)
	for _, i := range working {
		p.restOnKept(b, i, changed)
	}
	for address, o := range p.settingsOf(working) {
		b.Settings[address.String()] = p.said(o.Address)
	}
	for _, kind := range b.Kinds {
		for _, o := range p.settings.ByKind(kind) {
			b.Settings[o.Address.String()] = p.said(o.Address)
		}
	}
	out.Basis = b
}

// changeBasis is what the decision on one object rested on.
func (p *planner) changeBasis(c *Change, users map[string][]string, changed map[string]bool) *ChangeBasis {
	var b ChangeBasis
	if r := p.state[c.Address]; r != nil {
		b = ChangeBasis{Record: recordDigest(r), When: r.When, Tainted: r.Tainted, Protected: r.PreventDestroy}
		if c.Record != nil {
			b.Inputs, b.Added = inputsBefore(r.Inputs, c.Record.Inputs)
		}
	}
	for _, user := range users[c.Address] {
		if !changed[user] {
			b.Users = append(b.Users, user)
		}
	}
	if c.Record != nil && p.req.Said != nil {
		b.Said = p.req.Said(addressOf(c.Address)) // packages say nothing
	}
	if b.Record == "" && b.Said == nil {
		return nil
	}
	return &b
}

// inputsBefore is how inputs differed before from what they become.
func inputsBefore(before, after map[string]string) (inputs map[string]string, added []string) {
	for name, value := range before {
		if after[name] != value {
			if inputs == nil {
				inputs = map[string]string{}
			}
			inputs[name] = value
		}
	}
	for name := range after {
		if _, had := before[name]; !had {
			added = append(added, name)
		}
	}
	slices.Sort(added)
	return inputs, added
}

// inputs are those that were recorded when the plan was made.
func (b *ChangeBasis) inputs(after map[string]string) map[string]string {
	out := make(map[string]string, len(after))
	for name, value := range after {
		out[name] = value
	}
	for name, value := range b.Inputs {
		out[name] = value
	}
	for _, name := range b.Added {
		delete(out, name)
	}
	return out
}

// recordedUsers finds the recorded objects that need those which go.
func (p *planner) recordedUsers(out *Plan) map[string][]string {
	users := map[string][]string{}
	for _, c := range out.Changes {
		if c.Action == Remove {
			users[c.Address] = nil
		}
	}
	if len(users) == 0 {
		return users
	}
	for _, address := range sortedKeys(p.state) {
		for _, dep := range p.state[address].Dependencies {
			if list, goes := users[dep]; goes {
				users[dep] = append(list, address)
			}
		}
	}
	return users
}

// working are the configured objects that have steps.
func (p *planner) working(out *Plan) []int {
	var list []int
	for _, s := range out.Steps {
		if i, ok := p.index[addressOf(s.Address)]; ok {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// restOnKept notes what the steps of an object use and the plan leaves: what it
// depends on, and the environment of a package.
func (p *planner) restOnKept(b *Basis, i int, changed map[string]bool) {
	o := p.objects[i]
	for _, dep := range o.Dependencies {
		p.restOn(b, dep, changed)
	}
	if owner, ok := ownerOf(o.Address); ok {
		p.restOn(b, owner, changed)
	}
}

func (p *planner) restOn(b *Basis, a addr.Address, changed map[string]bool) {
	n, ok := p.index[a]
	address := a.String()
	if !ok || changed[address] {
		return
	}
	kept := KeptBasis{Key: short(p.objects[n].Key)}
	if r := p.state[address]; r != nil {
		kept.Recorded = short(r.Key)
	}
	b.Kept[address] = kept
}

func short(key string) string { return key[:min(len(key), digestLength)] }

// ownerOf is the block that a concrete package came with.
func ownerOf(a addr.Address) (addr.Address, bool) {
	if a.Package == "" {
		return a, false
	}
	a.Package = ""
	return a, true
}

// settingsOf finds the blocks without content key that the steps of objects can
// read: those that their blocks refer to, or the environments that they are
// made of.
func (p *planner) settingsOf(objects []int) map[addr.Address]*providers.Object {
	all := map[addr.Address]*providers.Object{}
	for _, o := range p.req.Objects {
		if _, plannable := p.index[o.Address]; !plannable && o.Spec != nil {
			all[o.Address] = o
		}
	}
	found := map[addr.Address]*providers.Object{}
	if len(all) == 0 {
		return found
	}
	seen := make([]bool, len(p.objects))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		o := p.objects[i]
		for _, dep := range o.Dependencies {
			if s := all[dep]; s != nil {
				found[dep] = s
			}
			if n, ok := p.index[dep]; ok && !isPackage(p.provider[n]) {
				visit(n)
			}
		}
		if owner, ok := ownerOf(o.Address); ok {
			if n, ok := p.index[owner]; ok {
				visit(n)
			}
		}
	}
	for _, i := range objects {
		visit(i)
	}
	return found
}

// said is what a block says, attribute by attribute.
func (p *planner) said(a addr.Address) map[string]string {
	if p.req.Said == nil {
		return nil
	}
	return p.req.Said(a)
}
