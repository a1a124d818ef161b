package config

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// collectionFunctions are those of Terraform that cty has not, or has with
// another meaning.
func collectionFunctions() map[string]function.Function {
	return map[string]function.Function{
		"alltrue":      foldFunction(true, func(all, v bool) bool { return all && v }),
		"anytrue":      foldFunction(false, func(any, v bool) bool { return any || v }),
		"index":        indexFunction(),
		"issensitive":  markFunction(cty.Bool, func(v cty.Value) cty.Value { return cty.BoolVal(v.HasMark(Sensitive)) }),
		"length":       lengthFunction(),
		"lookup":       lookupFunction(),
		"matchkeys":    matchKeysFunction(),
		"nonsensitive": markFunction(cty.NilType, func(v cty.Value) cty.Value { v, _ = v.UnmarkDeep(); return v }),
		"one":          oneFunction(),
		"sensitive":    markFunction(cty.NilType, func(v cty.Value) cty.Value { return v.Mark(Sensitive) }),
		"sum":          sumFunction(),
		"transpose":    transposeFunction(),
	}
}

// markFunction makes a function that looks at or changes the marks of a value.
func markFunction(result cty.Type, f func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if result != cty.NilType {
				return result, nil
			}
			return args[0].Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]), nil },
	})
}

func foldFunction(start bool, f func(a, b bool) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result, unknown := start, false
			for _, v := range args[0].AsValueSlice() {
				switch {
				case !v.IsKnown():
					unknown = true
				default:
					result = f(result, !v.IsNull() && v.True())
				}
			}
			if unknown && result == start {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(result), nil
		},
	})
}

func indexFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if typ := args[0].Type(); !typ.IsListType() && !typ.IsTupleType() {
				return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "a list is needed, not %s", typ.FriendlyName())
			}
			for i, v := range args[0].AsValueSlice() {
				equal, err := stdlib.Equal(v, args[1])
				if err != nil {
					return cty.UnknownVal(cty.Number), err
				}
				if !equal.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				if equal.True() {
					return cty.NumberIntVal(int64(i)), nil
				}
			}
			return cty.UnknownVal(cty.Number), errors.New("the list does not contain the value")
		},
	})
}

// lengthFunction counts elements, or the characters of a string.
func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch v := args[0]; {
			case v.Type() == cty.DynamicPseudoType:
				return cty.UnknownVal(cty.Number), nil
			case v.Type() == cty.String:
				return stdlib.Strlen(v)
			case v.Type().IsObjectType():
				return cty.NumberIntVal(int64(len(v.Type().AttributeTypes()))), nil
			case v.Type().IsTupleType() || v.Type().IsCollectionType():
				return v.Length(), nil
			default:
				return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "a string or a collection is needed, not %s", v.Type().FriendlyName())
			}
		},
	})
}

// lookupFunction is lookup with a default that may be left out.
func lookupFunction() function.Function {
	find := func(args []cty.Value) (cty.Value, error) {
		m, key := args[0], args[1]
		if typ := m.Type(); !typ.IsMapType() && !typ.IsObjectType() {
			return cty.DynamicVal, function.NewArgErrorf(0, "a map or object is needed, not %s", typ.FriendlyName())
		}
		if !m.IsKnown() || !key.IsKnown() {
			return cty.DynamicVal, nil
		}
		if v, ok := m.AsValueMap()[key.AsString()]; ok {
			return v, nil
		}
		if len(args) == 3 {
			return args[2], nil
		}
		return cty.DynamicVal, function.NewArgErrorf(1, "there is no key %q, and no default is given", key.AsString())
	}
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, {Name: "key", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 3 {
				return cty.NilType, errors.New("lookup takes a map, a key and at most one default")
			}
			if args[0].Type().IsMapType() {
				return args[0].Type().ElementType(), nil
			}
			v, err := find(args)
			return v.Type(), err
		},
		Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) {
			v, err := find(args)
			if err != nil {
				return cty.UnknownVal(typ), err
			}
			return convert.Convert(v, typ)
		},
	})
}

func matchKeysFunction() function.Function {
	list := cty.List(cty.DynamicPseudoType)
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "values", Type: list}, {Name: "keys", Type: list}, {Name: "searchset", Type: list}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() || !args[1].IsWhollyKnown() || !args[2].IsWhollyKnown() {
				return cty.UnknownVal(typ), nil
			}
			values, keys := args[0].AsValueSlice(), args[1].AsValueSlice()
			if len(values) != len(keys) {
				return cty.UnknownVal(typ), function.NewArgErrorf(1, "there are %d keys for %d values", len(keys), len(values))
			}
			var found []cty.Value
			for i, key := range keys {
				for _, wanted := range args[2].AsValueSlice() {
					if wanted.Type().Equals(key.Type()) && wanted.RawEquals(key) {
						found = append(found, values[i])
						break
					}
				}
			}
			if len(found) == 0 {
				return cty.ListValEmpty(typ.ElementType()), nil
			}
			return cty.ListVal(found), nil
		},
	})
}

// oneFunction takes the only element of a collection, or null of an empty one.
func oneFunction() function.Function {
	only := func(v cty.Value) (cty.Value, error) {
		typ := v.Type()
		if !typ.IsListType() && !typ.IsSetType() && !typ.IsTupleType() {
			return cty.DynamicVal, function.NewArgErrorf(0, "a list, tuple or set is needed, not %s", typ.FriendlyName())
		}
		if !v.IsKnown() {
			return cty.DynamicVal, nil
		}
		switch n := v.LengthInt(); n {
		case 0:
			return cty.NullVal(cty.DynamicPseudoType), nil
		case 1:
			return v.AsValueSlice()[0], nil
		default:
			return cty.DynamicVal, function.NewArgErrorf(0, "at most one element is expected, and there are %d", n)
		}
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			v, err := only(args[0])
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return only(args[0]) },
	})
}

func sumFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].CanIterateElements() || args[0].LengthInt() == 0 {
				return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "a list with at least one number is needed")
			}
			total := new(big.Float)
			for _, v := range args[0].AsValueSlice() {
				n, err := convert.Convert(v, cty.Number)
				if err != nil || n.IsNull() {
					return cty.UnknownVal(cty.Number), function.NewArgErrorf(0, "all elements have to be numbers")
				}
				if !n.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				total.Add(total, n.AsBigFloat())
			}
			return cty.NumberVal(total), nil
		},
	})
}

func transposeFunction() function.Function {
	typ := cty.Map(cty.List(cty.String))
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "map", Type: typ}},
		Type:   function.StaticReturnType(typ),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(typ), nil
			}
			lists := map[string][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				key, list := it.Element()
				if list.IsNull() {
					return cty.UnknownVal(typ), fmt.Errorf("the list of %q is null", key.AsString())
				}
				for _, v := range list.AsValueSlice() {
					if v.IsNull() {
						return cty.UnknownVal(typ), fmt.Errorf("the list of %q contains null", key.AsString())
					}
					lists[v.AsString()] = append(lists[v.AsString()], key)
				}
			}
			if len(lists) == 0 {
				return cty.MapValEmpty(cty.List(cty.String)), nil
			}
			values := make(map[string]cty.Value, len(lists))
			for key, list := range lists {
				values[key] = cty.ListVal(list)
			}
			return cty.MapVal(values), nil
		},
	})
}
