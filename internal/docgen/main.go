// Command docgen writes the pages of docs/ that say what the program knows
// best itself: the reference of the language from the schemas, the commands
// and exit codes from the command line, the formats from the package that
// writes them. Run it from the root of the repository:
//
//	go run ./internal/docgen
//
// A test fails when a page is not what docgen would write.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// page is one generated file.
type page struct {
	name  string // below docs/
	write func(root string) (string, error)
}

var pages = []page{
	{"language.md", languagePage},
	{"commands.md", commandsPage},
	{"formats.md", formatsPage},
}

func main() {
	if err := generate("."); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

// generate writes all pages of the repository at root.
func generate(root string) error {
	for _, p := range pages {
		text, err := p.write(root)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(root, "docs", p.name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// formatsPage is the page that the author of the formats keeps beside the code.
func formatsPage(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "internal", "view", "formats.md"))
	return generatedFrom("internal/view/formats.md") + string(text), err
}

// generatedFrom is the first line of a generated page.
func generatedFrom(source string) string {
	return "<!-- Generated from " + source + " by `go run ./internal/docgen`; do not edit. -->\n\n"
}
