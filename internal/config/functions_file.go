package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// resolvePath is a path relative to the directory of a module.
func resolvePath(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readArgument reads the file that an argument of a function names.
func readArgument(dir, path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	src, err := readFile(resolvePath(dir, path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s (paths are relative to the directory of the module, %s)", path, dir)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	return src, nil
}

// fileFunctions read files of the module in dir.
func fileFunctions(dir string) map[string]function.Function {
	read := func(encode func([]byte) (string, error)) function.Function {
		return textFunction(func(path string) (string, error) {
			src, err := readArgument(dir, path)
			if err != nil {
				return "", err
			}
			return encode(src)
		})
	}
	hex256 := func(b []byte) (string, error) { h := sha256.Sum256(b); return hex.EncodeToString(h[:]), nil }
	return map[string]function.Function{
		"file": read(func(b []byte) (string, error) {
			if !utf8.Valid(b) {
				return "", errors.New("the file is not UTF-8 text; read others by filebase64, or name the file where it is used")
			}
			return string(b), nil
		}),
		"filebase64": read(func(b []byte) (string, error) { return base64.StdEncoding.EncodeToString(b), nil }),
		"filemd5":    read(func(b []byte) (string, error) { h := md5.Sum(b); return hex.EncodeToString(h[:]), nil }),
		"filesha1":   read(func(b []byte) (string, error) { h := sha1.Sum(b); return hex.EncodeToString(h[:]), nil }),
		"filesha256": read(hex256),
		"filesha512": read(func(b []byte) (string, error) { h := sha512.Sum512(b); return hex.EncodeToString(h[:]), nil }),
		"filebase64sha256": read(func(b []byte) (string, error) {
			h := sha256.Sum256(b)
			return base64.StdEncoding.EncodeToString(h[:]), nil
		}),
		"filebase64sha512": read(func(b []byte) (string, error) {
			h := sha512.Sum512(b)
			return base64.StdEncoding.EncodeToString(h[:]), nil
		}),
		"fileexists": fileExistsFunction(dir),
		"fileset":    fileSetFunction(dir),
	}
}

func fileExistsFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			info, err := os.Stat(resolvePath(dir, path))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return cty.False, nil
			case err != nil:
				return cty.UnknownVal(cty.Bool), function.NewArgErrorf(0, "%s cannot be looked at: %s", path, reason(err))
			case !info.Mode().IsRegular():
				return cty.UnknownVal(cty.Bool), function.NewArgErrorf(0, "%s is a %s, not a regular file", path, modeName(info.Mode()))
			}
			return cty.True, nil
		},
	})
}

// maxFileSet bounds how many files and directories fileset looks at.
const maxFileSet = 1_000_000

// fileSetFunction lists the regular files below a directory whose path fits a
// pattern: * and ? do not match a slash, ** does.
func fileSetFunction(dir string) function.Function {
	typ := cty.Set(cty.String)
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(typ),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			paths, err := fileSet(resolvePath(dir, args[0].AsString()), args[1].AsString())
			if err != nil {
				return cty.UnknownVal(typ), err
			}
			if len(paths) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			values := make([]cty.Value, len(paths))
			for i, path := range paths {
				values[i] = cty.StringVal(path)
			}
			return cty.SetVal(values), nil
		},
	})
}

func fileSet(root, pattern string) ([]string, error) {
	parts := strings.Split(filepath.ToSlash(filepath.Clean(pattern)), "/")
	for _, part := range parts {
		if _, err := filepath.Match(part, ""); err != nil {
			return nil, function.NewArgErrorf(1, "%q is not a pattern", pattern)
		}
	}
	var found []string
	looked := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if looked++; looked > maxFileSet {
			return fmt.Errorf("there are more than %d files below %s", maxFileSet, root)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", path, err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path) // what a link leads to
		if err == nil && info.Mode().IsRegular() && matches(parts, strings.Split(filepath.ToSlash(name), "/")) {
			found = append(found, filepath.ToSlash(name))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

// matches tells whether the parts of a path fit those of a pattern.
func matches(pattern, path []string) bool {
	for len(pattern) > 0 && pattern[0] != "**" {
		if len(path) == 0 {
			return false
		}
		if ok, _ := filepath.Match(pattern[0], path[0]); !ok {
			return false
		}
		pattern, path = pattern[1:], path[1:]
	}
	if len(pattern) == 0 {
		return len(path) == 0
	}
	for i := range len(path) + 1 {
		if matches(pattern[1:], path[i:]) {
			return true
		}
	}
	return false
}

// envFunction reads an environment variable. Its value is sensitive: what
// stands in the environment and not in the configuration is so for a reason.
func envFunction(o functionOptions) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if o.environ != nil {
				if value, ok := o.environ(name); ok {
					return cty.StringVal(value).Mark(Sensitive), nil
				}
			}
			names := make([]string, 0, len(o.environAll))
			for _, entry := range o.environAll {
				other, _, _ := strings.Cut(entry, "=")
				names = append(names, other)
			}
			return cty.UnknownVal(cty.String), function.NewArgErrorf(0,
				"the environment variable %s is not set.%s Set it before running esd, or give a value for its absence: try(env(%q), \"…\")", name, suggest(name, names), name)
		},
	})
}

// templateFileFunction renders a file as a template with the given variables.
func templateFileFunction(dir string, inner func() map[string]function.Function) function.Function {
	render := func(args []cty.Value) (cty.Value, error) {
		path := args[0].AsString()
		src, err := readArgument(dir, path)
		if err != nil {
			return cty.DynamicVal, function.NewArgError(0, err)
		}
		expr, err := parseTemplate(src, path)
		if err != nil {
			return cty.DynamicVal, function.NewArgError(0, err)
		}
		return renderTemplate(expr, args[1], inner())
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() || !args[1].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := render(args)
			return v.Type(), err
		},
		Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) {
			return render(args)
		},
	})
}

func parseTemplate(src []byte, path string) (hclsyntax.Expression, error) {
	if !utf8.Valid(src) {
		return nil, fmt.Errorf("%s is not UTF-8 text", path)
	}
	if len(src) > maxParse {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxParse>>20)
	}
	tokens, _ := hclsyntax.LexTemplate(src, path, hcl.InitialPos)
	if diags := checkNesting(tokens); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := hclsyntax.ParseTemplate(src, path, hcl.InitialPos)
	if diags = hintTemplates(diags, src); diags.HasErrors() {
		return nil, diags
	}
	return expr, nil
}

func renderTemplate(expr hclsyntax.Expression, vars cty.Value, functions map[string]function.Function) (cty.Value, error) {
	if typ := vars.Type(); !typ.IsObjectType() && !typ.IsMapType() {
		return cty.DynamicVal, function.NewArgErrorf(1, "a map or object is needed, not %s", typ.FriendlyName())
	}
	ctx := &hcl.EvalContext{Functions: functions, Variables: vars.AsValueMap()}
	for _, t := range expr.Variables() {
		if _, ok := ctx.Variables[t.RootName()]; !ok {
			return cty.DynamicVal, function.NewArgErrorf(1, "the template uses %q at %s, which is not among them.%s", t.RootName(), place(t.SourceRange()), suggest(t.RootName(), mapKeys(ctx.Variables)))
		}
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return v, nil
}
