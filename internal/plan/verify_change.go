package plan

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"esd/internal/providers"
	"esd/internal/state"
)

// change checks that what one change rests on has not moved, or that it is done
// already.
func (v *verifier) change(c *Change) {
	recorded := v.state[c.Address]
	b := c.Basis
	if b == nil {
		b = &ChangeBasis{}
	}
	same := recordDigest(recorded) == b.Record
	switch c.Action {
	case Remove, Forget:
		v.ending(c, b, recorded, same)
		return
	case Move:
		if same && v.moving[c.Address] != c.From {
			v.finished(c.Address)
			return
		}
	default:
		if v.plan.Mode == Apply && !v.configured(c, b) {
			return
		}
		if (!same || recorded != nil && recorded.When != b.When) && wanted(c, recorded) {
			v.doneAlready(c)
			return
		}
	}
	if !same {
		v.shift(c.Address, movedRecord(c, b, recorded))
	}
}

// wanted reports whether an object is recorded as a change wants it.
func wanted(c *Change, recorded *state.Object) bool {
	return recorded != nil && recorded.Key == c.Key && !recorded.Tainted && recorded.PreventDestroy == c.Record.PreventDestroy
}

// doneAlready notes that what a change is to bring about is recorded. Its steps
// are still run: they find what they would make, and make what is missing all
// the same, such as an image at the second of two registries.
func (v *verifier) doneAlready(c *Change) {
	if c.Action == Adopt || c.Action == Refresh {
		v.finished(c.Address)
		return
	}
	v.done[c.Address] = true
	v.out.Done = append(v.out.Done, c.Address)
}

// configured checks that the configuration still wants what a change brings
// about, and says what moved if it does not.
func (v *verifier) configured(c *Change, b *ChangeBasis) bool {
	i, there := v.index[addressOf(c.Address)]
	if !there {
		v.shift(c.Address, "is no longer in the configuration")
		return false
	}
	o := v.objects[i]
	switch {
	case len(o.Unpinned) > 0 || o.Unlocked != "":
		v.shift(c.Address, "is not locked as it is configured now")
	case o.Key != c.Key:
		list := compare(&state.Object{Key: c.Key, Inputs: c.Record.Inputs}, o)
		v.shifts = append(v.shifts, Shift{c.Address, "the configuration has changed: " + inWords(list), derived(list)})
	case o.PreventDestroy != c.Record.PreventDestroy:
		v.shift(c.Address, "the configuration has changed: prevent_destroy changed")
	default:
		said := v.said(o.Address)
		if isPackage(v.provider[i]) || maps.Equal(said, b.Said) {
			return true
		}
		v.shift(c.Address, "the configuration has changed: "+saidOtherwise(b.Said, said))
	}
	return false
}

// ending checks the end of an object, which is planned from the record and the
// configuration alone: it is planned again.
func (v *verifier) ending(c *Change, b *ChangeBasis, recorded *state.Object, same bool) {
	a := addressOf(c.Address)
	i, configured := v.index[a]
	if v.plan.Mode == Apply && configured {
		v.shift(c.Address, "is in the configuration again")
		return
	}
	switch {
	case recorded == nil:
		v.finished(c.Address)
		return
	case !same:
		v.shift(c.Address, movedRecord(c, b, recorded))
		return
	case v.plan.Mode == RefreshOnly:
		return
	case configured && v.objects[i].PreventDestroy && c.Action == Remove:
		v.shift(c.Address, "prevent_destroy protects it now")
		return
	}
	v.endsAlike(c, recorded)
	if user := v.newUser(c, b); c.Action == Remove && user != "" {
		v.shift(c.Address, "is needed by "+user+" now")
	}
}

// newUser is a recorded object that stays and needs one that goes, and that was
// not known when the plan was made; "" for none.
func (v *verifier) newUser(c *Change, b *ChangeBasis) string {
	known := make(map[string]bool, len(b.Users))
	for _, user := range b.Users {
		known[user] = true
	}
	for _, user := range v.users[c.Address] {
		if v.planned[user] == nil && !known[user] {
			return user
		}
	}
	return ""
}

// endsAlike checks that an object would end today as the plan says.
func (v *verifier) endsAlike(c *Change, recorded *state.Object) {
	action := Remove
	if destroy, declared := v.removedBlock(addressOf(c.Address)); declared && !destroy {
		action = Forget
	}
	steps, err := v.destroySteps(addressOf(c.Address), recorded, action)
	if err != nil {
		v.shift(c.Address, err.Error())
		return
	}
	if len(steps) == 0 {
		action = Forget
	}
	if action != c.Action {
		v.shift(c.Address, "the configuration has changed: it would be "+map[Action]string{Forget: "only forgotten", Remove: "destroyed"}[action]+" now")
		return
	}
	if !slices.EqualFunc(v.steps[c.Address], steps, func(s Step, t providers.Step) bool { return s.Op == t.Op && bytes.Equal(s.Spec, t.Spec) }) {
		v.shift(c.Address, "the configuration has changed: what stays shares other things with it")
	}
}

// kept checks the objects that steps use and the plan does not change.
func (v *verifier) kept() {
	if v.plan.Basis == nil {
		return
	}
	for _, address := range sortedKeys(v.plan.Basis.Kept) {
		then := v.plan.Basis.Kept[address]
		i, there := v.index[addressOf(address)]
		if !there {
			v.shift(address, "is needed by the plan, and is no longer in the configuration")
			continue
		}
		if short(v.objects[i].Key) != then.Key {
			v.shift(address, "is needed by the plan, and the configuration of it has changed")
			continue
		}
		now := ""
		if r := v.state[address]; r != nil {
			now = short(r.Key)
		}
		if now == then.Recorded || now == then.Key {
			continue
		}
		if now == "" {
			v.shift(address, "is needed by the plan, and is not recorded any more")
			continue
		}
		v.shift(address, "is needed by the plan, and was made again as "+providers.ShortKey(now)+" by an apply since: "+
			inWords(compare(v.state[address], v.objects[i])))
	}
}

// settings checks the blocks without content key that the steps use.
func (v *verifier) settings() {
	b := v.plan.Basis
	if b == nil {
		return
	}
	now := map[string]map[string]string{}
	for _, o := range v.req.Objects {
		address := o.Address.String()
		_, used := b.Settings[address]
		if used || o.Key == "" && o.Address.Module == "" && slices.Contains(b.Kinds, o.Kind) {
			now[address] = v.said(o.Address)
		}
	}
	for _, address := range sortedKeys(b.Settings) {
		said, there := now[address]
		if !there {
			v.shift(address, "is used by the plan, and is no longer in the configuration")
		} else if !maps.Equal(said, b.Settings[address]) {
			v.shift(address, "is used by the plan, and has changed: "+saidOtherwise(b.Settings[address], said))
		}
	}
	for _, address := range sortedKeys(now) {
		if _, had := b.Settings[address]; !had {
			v.shift(address, "was added, and would be used by the plan")
		}
	}
}

// movedRecord says in words how the record of an object is not what it was.
func movedRecord(c *Change, b *ChangeBasis, now *state.Object) string {
	switch {
	case now == nil:
		return "is not recorded any more"
	case b.Record == "":
		return "was recorded meanwhile as " + providers.ShortKey(now.Key) + ", which the plan does not know of" +
			because(compareRecords(&state.Object{Key: c.Key, Inputs: inputsOf(c)}, now))
	case now.Key != c.PriorKey:
		then := &state.Object{Key: c.PriorKey, Inputs: b.inputs(inputsOf(c))}
		return "was made again as " + providers.ShortKey(now.Key) + " by an apply since" + because(compareRecords(then, now))
	case now.Tainted != b.Tainted && now.Tainted:
		return "was tainted since"
	case now.Tainted != b.Tainted:
		return "is not tainted any more"
	case now.PreventDestroy != b.Protected:
		return "prevent_destroy was changed by an apply since"
	}
	return "was recorded again with other results (" + providers.ShortKey(now.Key) + ")"
}

func inputsOf(c *Change) map[string]string {
	if c.Record == nil {
		return nil
	}
	return c.Record.Inputs
}

// compareRecords lists the inputs in which two records differ; none where the
// inputs of the earlier one are not known.
func compareRecords(then, now *state.Object) []difference {
	if len(then.Inputs) == 0 {
		return nil
	}
	o := &providers.Object{Key: now.Key}
	for _, name := range sortedKeys(now.Inputs) {
		text, shown := strings.CutPrefix(now.Inputs[name], "=")
		o.Inputs = append(o.Inputs, providers.Input{Name: name, Text: text, Shown: shown, Object: slices.Contains(now.Dependencies, name)})
	}
	return compare(then, o)
}

func because(list []difference) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + inWords(list)
}

// maxWords is how many inputs a sentence names.
const maxWords = 3

func inWords(list []difference) string {
	if len(list) == 0 {
		return "it is another one"
	}
	words := make([]string, 0, len(list))
	for _, d := range list {
		words = append(words, d.text)
	}
	return sentence(words)
}

func sentence(words []string) string {
	if len(words) > maxWords {
		words = append(slices.Clone(words[:maxWords]), "…")
	}
	return strings.Join(words, ", ")
}

// derived reports whether it is other objects whose change is the reason.
func derived(list []difference) bool { return len(list) > 0 && list[0].object != "" }

// saidOtherwise names the attributes in which two blocks differ.
func saidOtherwise(then, now map[string]string) string {
	var words []string
	for _, name := range sortedKeys(now) {
		if then[name] != now[name] && name != "" {
			words = append(words, name+" changed")
		}
	}
	for _, name := range sortedKeys(then) {
		if _, still := now[name]; !still && name != "" {
			words = append(words, name+" removed")
		}
	}
	if len(words) == 0 {
		return "what it comes to is another one" // a ref that is pinned elsewhere
	}
	return sentence(words)
}
