package main

import (
	"fmt"
	"strings"

	"esd/internal/state/backend"
	"esd/internal/state/backend/kinds"
)

// stateKinds is the section about the blocks that say where the state is kept:
// an overview, and what each kind says of itself.
func stateKinds() string {
	var b strings.Builder
	b.WriteString("What a plan or an apply knows of earlier runs is the state. All kinds of places keep it whole, lock it for one\n" +
		"run at a time, and refuse to put an older one in the place of a newer one.\n\n" +
		"| kind | where the state is kept |\n|---|---|\n")
	for _, k := range kinds.All() {
		fmt.Fprintf(&b, "| [`%s`](#state-%s) | %s |\n", k.Name, k.Name, cell(k.Summary))
	}
	b.WriteString("\nWhat a block does not say is taken from the first variable of the environment that is set, where one is named below.\n" +
		"Secrets are best given in that way.\n")
	for _, k := range kinds.All() {
		writeStateKind(&b, k)
	}
	return b.String()
}

func writeStateKind(b *strings.Builder, k backend.Kind) {
	fmt.Fprintf(b, "\n#### `state \"%s\"`\n\n%s %s\n", k.Name, k.Summary, strings.TrimSpace(k.Doc))
	if k.Example != "" {
		fmt.Fprintf(b, "\n```hcl\n%s\n```\n", strings.TrimSpace(k.Example))
	}
	if len(k.Attributes) == 0 {
		return
	}
	b.WriteString("\n| attribute | type | default | in the environment | meaning |\n|---|---|---|---|---|\n")
	for _, a := range k.Attributes {
		doc := cell(a.Doc)
		if a.Secret {
			doc += " A secret: it is never shown or recorded."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", a.Name, typeOf(a.Attribute), defaultOf(a.Attribute), variablesOf(a), doc)
	}
}

func variablesOf(a backend.Attribute) string {
	if len(a.Variables) == 0 {
		return ""
	}
	return code(strings.Join(a.Variables, "`, `"))
}
