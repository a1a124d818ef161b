package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"esd/internal/plan"
)

// checkPlanOrConfig explains a path of which esd could not be told more than
// that it is no configuration: a saved plan that is missing or empty, or some
// other file.
func checkPlanOrConfig(path string) error {
	if path == "" || isConfigName(path) {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such file or directory; name a plan that was saved with `esd plan --out`, a directory with *.hcl files, or one .hcl file", path)
	case err != nil || !info.Mode().IsRegular():
		return nil // opening it says what is wrong
	case info.Size() == 0:
		return &plan.FileError{Path: path, Problem: "it is empty, and so no saved plan"}
	}
	return fmt.Errorf("%s is neither a saved plan nor a configuration", path)
}

// checkPlace explains why the configuration of a saved plan is not where the
// plan says: the plan was moved.
func checkPlace(path string, p *plan.Plan) error {
	config := p.Config.Path
	info, err := os.Stat(config)
	switch {
	case err == nil && info.IsDir():
		if found, err := filepath.Glob(filepath.Join(config, "*.hcl")); err != nil || len(found) > 0 {
			return nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil // opening it says what is wrong
	}
	where := config
	if rel, err := filepath.Rel(filepath.Dir(path), config); err == nil {
		switch {
		case rel == ".":
			where = "the *.hcl files beside it"
		case filepath.Dir(rel) == ".":
			where = rel + " beside it"
		}
	}
	return fmt.Errorf("%s: the plan was made for %s, and there is no such configuration; put the plan back where it lay", path, where)
}
