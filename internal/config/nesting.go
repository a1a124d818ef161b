package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxNesting bounds how deep an expression may be. The parser and the
// evaluator of HCL are recursive, and Go ends a process whose stack outgrows
// its limit, so that deeper input has to be refused before it is parsed.
const maxNesting = 2000

// nesting follows the tokens of a file and keeps an upper bound of the depth
// of the syntax tree at each: what is open, and the operators on the way,
// since a chain of operators is as deep as it is long.
type nesting struct {
	open  []int // for each open bracket, the operators seen in it so far
	total int
	// newline tells that the last token was one. Only the next token tells
	// whether it ended an expression.
	newline bool
}

// checkNesting reports where tokens are nested too deeply.
func checkNesting(tokens hclsyntax.Tokens) hcl.Diagnostics {
	n := nesting{open: []int{0}}
	for i := range tokens {
		n.next(tokens[i].Type)
		if n.total > maxNesting {
			return hcl.Diagnostics{errorAt(tokens[i].Range, "Expression nested too deeply",
				"Here more than %d brackets and operators are nested in each other. Divide the expression among several local values.", maxNesting)}
		}
	}
	return nil
}

func (n *nesting) next(token hclsyntax.TokenType) {
	if n.newline && !continues(token) {
		n.reset()
	}
	n.newline = token == hclsyntax.TokenNewline
	switch token {
	case hclsyntax.TokenOBrack:
		n.operator() // x[0][0] is deep although each bracket is closed
		n.push()
	case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
		n.push()
	case hclsyntax.TokenTemplateControl:
		n.operator() // a directive is closed long before its end
		n.push()
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		n.pop()
	case hclsyntax.TokenComma:
		n.reset()
	default:
		if isOperator(token) {
			n.operator()
		}
	}
}

// continues tells that an expression may go on with this token on a new line.
func continues(token hclsyntax.TokenType) bool {
	switch token {
	case hclsyntax.TokenNewline, hclsyntax.TokenOBrack, hclsyntax.TokenDot:
		return true
	}
	return isOperator(token)
}

func (n *nesting) operator() { n.open[len(n.open)-1]++; n.total++ }

func (n *nesting) reset() {
	top := &n.open[len(n.open)-1]
	n.total -= *top
	*top = 0
}

func (n *nesting) push() {
	n.open = append(n.open, 0)
	n.total++
}

func (n *nesting) pop() {
	if len(n.open) == 1 {
		return
	}
	n.reset()
	n.open = n.open[:len(n.open)-1]
	n.total--
}

func isOperator(token hclsyntax.TokenType) bool {
	switch token {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang,
		hclsyntax.TokenQuestion, hclsyntax.TokenColon:
		return true
	}
	return false
}
