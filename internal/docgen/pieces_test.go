package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"esd/internal/cli"
)

var hclPiece = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```")

func TestPiecesOfConfigurationCanBeParsed(t *testing.T) {
	t.Parallel()
	pieces := 0
	for _, path := range markdownFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range hclPiece.FindAllSubmatch(text, -1) {
			pieces++
			if _, diags := hclsyntax.ParseConfig(piece[1], path, hcl.InitialPos); diags.HasErrors() {
				t.Errorf("%s has a piece of HCL that cannot be parsed: %v\n%s", path, diags, piece[1])
			}
		}
	}
	if pieces == 0 {
		t.Error("no piece of HCL is found in any Markdown file")
	}
}

func TestReadmeListsAllExitCodes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cli.ExitCodes {
		if !strings.Contains(string(text), fmt.Sprintf("\n| %d | ", c.Code)) {
			t.Errorf("the README does not list exit code %d (%s)", c.Code, c.Name)
		}
	}
}

func TestReadmeNamesTheCommandsOfANewcomer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"go run ./cmd/esd apply --auto-approve examples/quickstart.hcl", "go test ./..."} {
		if !strings.Contains(string(text), "\n"+command+"\n") {
			t.Errorf("the README does not say %q on a line of its own", command)
		}
	}
}
