package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"esd/internal/cli"
)

const commandsHead = `# Commands

` + "`esd COMMAND [PATH]`" + `: PATH is a directory, all ` + "`*.hcl`" + ` files of which are one configuration (the default is the
working directory), or one ` + "`.hcl`" + ` file, which is then a whole configuration. Long options have two dashes.

Results go to standard output, all else to standard error. Colour needs a terminal and obeys ` + "`NO_COLOR`" + `.
`

func commandsPage(string) (string, error) {
	var b strings.Builder
	b.WriteString(generatedFrom("the command line"))
	b.WriteString(commandsHead)
	writeExitCodes(&b)
	commands, err := commandTree(nil)
	if err != nil {
		return "", err
	}
	b.WriteString("\n## All commands\n\n| command | what it does |\n|---|---|\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.name(), strings.ReplaceAll(c.name(), " ", "-"), cell(c.short))
	}
	for _, c := range commands {
		fmt.Fprintf(&b, "\n## `%s`\n\n```text\n%s\n```\n", c.name(), strings.TrimRight(c.help, "\n"))
	}
	return b.String(), nil
}

func writeExitCodes(b *strings.Builder) {
	b.WriteString("\n## Exit codes\n\n| code | name | meaning |\n|---|---|---|\n")
	for _, c := range cli.ExitCodes {
		fmt.Fprintf(b, "| %d | %s | %s |\n", c.Code, c.Name, cell(c.Meaning))
	}
}

// command is one command as its help shows it.
type command struct {
	words       []string
	short, help string
}

func (c command) name() string { return "esd " + strings.Join(c.words, " ") }

// commandTree lists the commands below the one given, each followed by its
// own.
func commandTree(above []string) ([]command, error) {
	help, err := helpOf(above)
	if err != nil {
		return nil, err
	}
	var out []command
	for _, found := range listed(help) {
		words := append(append([]string{}, above...), found[0])
		text, err := helpOf(words)
		if err != nil {
			return nil, err
		}
		var below []command
		if found[0] != "completion" { // a command for each shell, all alike
			if below, err = commandTree(words); err != nil {
				return nil, err
			}
		}
		out = append(append(out, command{words, found[1], text}), below...)
	}
	return out, nil
}

// commandLine is a line of help that names a command below.
var commandLine = regexp.MustCompile(`^  ([a-z][a-z-]*) +(\S.*)$`)

// listed finds the commands that a help text lists: between the usage, which
// says that there are some, and the options.
func listed(help string) [][2]string {
	_, after, ok := strings.Cut(help, "[command]\n")
	if !ok {
		return nil
	}
	var out [][2]string
	section := ""
	for line := range strings.Lines(after) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			section = line
		}
		switch section {
		case "Flags:", "Global Flags:", "Additional help topics:":
			return out
		}
		if m := commandLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(section, "Example") && m[1] != "help" {
			out = append(out, [2]string{m[1], m[2]})
		}
	}
	return out
}

// helpOf asks a command for its help.
func helpOf(words []string) (string, error) {
	var out bytes.Buffer
	code := cli.Main(append(append([]string{}, words...), "--help"), cli.IO{
		In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) (string, bool) { return "", false },
	})
	if code != cli.ExitOK {
		return "", fmt.Errorf("esd %s --help exits with %d: %s", strings.Join(words, " "), code, out.String())
	}
	return out.String(), nil
}
