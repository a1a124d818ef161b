package yamlnode

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// comments are the comments of a file by their line.
type comments struct {
	whole, beside map[int]string
}

// splitComments takes the comments out of the tokens.
func splitComments(tokens token.Tokens) (comments, token.Tokens) {
	c := comments{whole: map[int]string{}, beside: map[int]string{}}
	used := map[int]bool{}
	var code token.Tokens
	for _, t := range tokens {
		if t.Type != token.CommentType {
			code.Add(t)
			used[t.Position.Line] = true
		}
	}
	for _, t := range tokens {
		if t.Type != token.CommentType {
			continue
		}
		text := strings.TrimRight(strings.TrimPrefix(t.Value, " "), " \t")
		if used[t.Position.Line] {
			c.beside[t.Position.Line] = text
		} else {
			c.whole[t.Position.Line] = text
		}
	}
	return c, code
}

// Above are the comments on the lines of their own right above a line.
func (c comments) Above(line int) []string {
	first := line
	for {
		if _, ok := c.whole[first-1]; !ok {
			break
		}
		first--
	}
	var list []string
	for ; first < line; first++ {
		list = append(list, c.whole[first])
	}
	return list
}

// Beside is the comment at the end of a line.
func (c comments) Beside(line int) string { return c.beside[line] }
