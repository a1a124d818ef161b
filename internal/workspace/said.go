package workspace

import (
	"fmt"
	"strings"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"esd/internal/addr"
	"esd/internal/providers"
)

// isPackage tells the blocks whose content keys cover all that is done with
// them.
func (w *Workspace) isPackage(o *providers.Object) bool {
	p := w.Kinds.Provider(o.Kind)
	return p != nil && p.DefaultForm() == providers.Archive
}

// said is what a block says, attribute by attribute, as digests: where a target
// goes, what a cache is. Of a block without content key it also says what that
// comes to, under the empty name: the commit that a ref is pinned to.
func (r *Resolved) said(a addr.Address) map[string]string {
	config, ok := r.configs[a]
	if !ok {
		return nil
	}
	attributes := config.Type().AttributeTypes()
	said := make(map[string]string, len(attributes))
	for name := range attributes {
		value := config.GetAttr(name)
		if value.IsNull() {
			continue
		}
		data, err := ctyjson.Marshal(value, value.Type())
		if err != nil { // nothing in a block is without a form in JSON
			data = []byte(value.GoString())
		}
		said[name] = providers.ShortDigest(string(data))
	}
	if o := r.index[a]; o != nil && o.Key == "" && o.Spec != nil {
		// The same in every checkout.
		said[""] = providers.ShortDigest(strings.ReplaceAll(fmt.Sprintf("%+v", o.Spec), r.dir, ""))
	}
	return said
}
