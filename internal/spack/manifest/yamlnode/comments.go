package yamlnode

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// comments are the comments of a file by their line.
type comments struct {
	whole  map[int]comment // on lines of their own
	beside map[int]string
	first  map[int]int // the column in which a line with anything else begins
}

type comment struct {
	text   string
	column int
}

// splitComments takes the comments out of the tokens.
func splitComments(tokens token.Tokens) (comments, token.Tokens) {
	c := comments{whole: map[int]comment{}, beside: map[int]string{}, first: map[int]int{}}
	var code token.Tokens
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		code.Add(t)
		if _, seen := c.first[t.Position.Line]; !seen {
			c.first[t.Position.Line] = t.Position.Column
		}
	}
	for _, t := range tokens {
		if t.Type != token.CommentType {
			continue
		}
		text := strings.TrimRight(strings.TrimPrefix(t.Value, " "), " \t")
		if _, used := c.first[t.Position.Line]; used {
			c.beside[t.Position.Line] = text
		} else {
			c.whole[t.Position.Line] = comment{text, t.Position.Column}
		}
	}
	return c, code
}

// Above are the comments on the lines of their own right above a line, as far
// as they are not indented deeper: those belong to what stands above them.
func (c comments) Above(line int) []string {
	first := line
	for {
		above, ok := c.whole[first-1]
		if !ok || above.column > max(c.first[line], 1) {
			break
		}
		first--
	}
	return c.texts(first, line)
}

// Below are the comments right below a line that are indented as deep as it
// and belong to nothing that follows.
func (c comments) Below(line int) []string {
	end := line + 1
	for c.whole[end].column >= max(c.first[line], 1) {
		end++
	}
	if next, code := c.first[end]; code && next >= c.first[line] {
		return nil // they stand above that
	}
	return c.texts(line+1, end)
}

func (c comments) texts(from, to int) []string {
	var list []string
	for ; from < to; from++ {
		list = append(list, c.whole[from].text)
	}
	return list
}

// Beside is the comment at the end of a line.
func (c comments) Beside(line int) string { return c.beside[line] }
