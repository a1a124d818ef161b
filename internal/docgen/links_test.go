package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)\)`)
	source  = regexp.MustCompile(`(?:src|srcset|href)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	unfit   = regexp.MustCompile("[^a-z0-9_ -]")
)

// The links of all Markdown files lead somewhere: to a file of the repository,
// and to a heading where they name one.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, path := range markdownFiles(t) {
		text := readProse(t, path)
		targets := append(link.FindAllStringSubmatch(text, -1), source.FindAllStringSubmatch(text, -1)...)
		for _, match := range targets {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", path, target)
				continue
			}
			if anchor != "" && !anchors(readProse(t, to))[anchor] {
				t.Errorf("%s links to %s, where no heading is called so", path, target)
			}
		}
	}
}

func markdownFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		// The head of the reference has its anchors on the page made of it.
		if strings.HasSuffix(name, ".md") && path != filepath.Join(root, "internal", "docgen", "language.md") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d Markdown files are found: %v", len(files), err)
	}
	return files
}

// readProse reads a Markdown file without its pieces of code.
func readProse(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fence.ReplaceAllString(string(text), "")
}

// anchors are the names of the headings, made as code forges make them.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := unfit.ReplaceAllString(strings.ToLower(match[1]), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}
