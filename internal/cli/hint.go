package cli

import (
	"errors"
	"regexp"
	"strings"

	"esd/internal/state"
)

// aboutState finds in a message the commands that it advises and that have to
// know which state is meant.
var aboutState = regexp.MustCompile("`(esd (?:force-unlock|lock-info|state (?:accept|list|migrate|mv|push|rebuild|rm|show))(?: [^`]*)?)`")

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[\w./:@%+=,-]+$`)

// hint completes the commands that a text advises, so that they can be copied:
// they are about the configuration that is in use, wherever that is.
func (a *app) hint(text string) string {
	where := ""
	if a.config != "" && a.config != "." {
		where += " --config " + word(a.config)
	}
	if a.chdir != "" {
		where += " --chdir " + word(a.chdir)
	}
	if where == "" {
		return text
	}
	return aboutState.ReplaceAllStringFunc(text, func(command string) string {
		return strings.TrimSuffix(command, "`") + where + "`"
	})
}

// word is an argument as one writes it in a shell.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// hintError is hint for an error that is shown; several that stand beside each
// other stay several.
func (a *app) hintError(err error) error {
	if a.hint(err.Error()) == err.Error() {
		return err
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return errors.New(a.hint(err.Error()))
	}
	var list []error
	for _, e := range many.Unwrap() {
		list = append(list, a.hintError(e))
	}
	if joined := errors.Join(list...); joined.Error() == a.hint(err.Error()) {
		return joined
	}
	return errors.New(a.hint(err.Error()))
}

func (a *app) hintNotice(n state.Notice) state.Notice {
	n.Summary, n.Detail = a.hint(n.Summary), a.hint(n.Detail)
	return n
}
