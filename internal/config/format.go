package config

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format lays out the source of a configuration in the canonical style. Source
// with syntax errors is left as it is.
func Format(src []byte, filename string) ([]byte, hcl.Diagnostics) {
	if len(src) > maxFileSize {
		return src, errorf("File too large", "%s is larger than %d MiB.", filename, maxFileSize>>20)
	}
	if p := parseSource(src, filename); p.diags.HasErrors() {
		return src, p.diags
	}
	formatted := hclwrite.Format(src)
	if len(formatted) > 0 && !bytes.HasSuffix(formatted, []byte("\n")) {
		formatted = append(formatted, '\n')
	}
	if _, diags := hclsyntax.ParseConfig(formatted, filename, hcl.InitialPos); diags.HasErrors() {
		return src, nil // rather ugly than broken
	}
	return formatted, nil
}
