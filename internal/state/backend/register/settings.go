package register

import (
	"errors"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
)

// KeepAttribute is the attribute that sets [Options.Keep], for the blocks of
// all kinds that are registers.
func KeepAttribute() backend.Attribute {
	return backend.Attribute{Attribute: schema.Attribute{
		Name: "keep", Type: cty.Number, Check: checkKeep, Doc: "How many versions are kept beside the present one. Default: `10`.",
	}}
}

// KeepOf reads it, 0 where it was not set.
func KeepOf(s backend.Settings) int { return int(s.Int("keep", 0)) }

func checkKeep(v cty.Value) error {
	n := v.AsBigFloat()
	if count, _ := n.Int64(); !n.IsInt() || count < 1 || count > 1000 {
		return errors.New("a whole number from 1 to 1000")
	}
	return nil
}
