package config

import (
	"path"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// textFunctions work on strings.
func textFunctions() map[string]function.Function {
	return map[string]function.Function{
		"basename":    textFunction(func(s string) (string, error) { return path.Base(s), nil }),
		"dirname":     textFunction(func(s string) (string, error) { return path.Dir(s), nil }),
		"startswith":  testFunction("prefix", strings.HasPrefix),
		"endswith":    testFunction("suffix", strings.HasSuffix),
		"strcontains": testFunction("substr", strings.Contains),
		"replace":     replaceFunction(),
	}
}

// textFunction makes a function of the language from one from string to string.
func textFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

// testFunction makes a function that tests a string with another.
func testFunction(name string, f func(s, other string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: name, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// replaceFunction replaces all occurrences; a substring between slashes is a
// regular expression.
func replaceFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: "substr", Type: cty.String}, {Name: "replace", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
				pattern, err := regexp.Compile(old[1 : len(old)-1])
				if err != nil {
					return cty.UnknownVal(cty.String), function.NewArgError(1, err)
				}
				return cty.StringVal(pattern.ReplaceAllString(s, with)), nil
			}
			return cty.StringVal(strings.ReplaceAll(s, old, with)), nil
		},
	})
}
