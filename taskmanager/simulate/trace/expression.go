package trace

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expression is a sum of terms.
type expression struct {
	text  string
	terms []term
}

// term is a factor, or the product of a factor and the value of a column.
type term struct {
	factor float64
	column string // empty: none
	index  int    // of the column in the table
}

// parseExpression parses a sum of terms: NUMBER, COLUMN, NUMBER*COLUMN or COLUMN/NUMBER.
func parseExpression(text string) (expression, error) {
	p := expressionParser{text: text}
	e := expression{text: text}
	for first := true; ; first = false {
		p.blanks()
		sign := 1.0
		switch {
		case p.take('-'):
			sign = -1
		case p.take('+'), first:
		case p.done():
			return e, nil
		default:
			return e, p.unexpected("+, - or the end")
		}
		t, err := p.term()
		if err != nil {
			return e, err
		}
		t.factor *= sign
		e.terms = append(e.terms, t)
	}
}

type expressionParser struct {
	text string
	at   int
}

func (p *expressionParser) done() bool { return p.at == len(p.text) }

func (p *expressionParser) blanks() {
	for !p.done() && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// take skips a character and the blanks after it, if it is the next one.
func (p *expressionParser) take(c byte) bool {
	if p.done() || p.text[p.at] != c {
		return false
	}
	p.at++
	p.blanks()
	return true
}

// term parses numbers and at most one column, with * and / between them.
func (p *expressionParser) term() (term, error) {
	t, err := p.operand()
	for err == nil {
		p.blanks()
		start := p.at
		divide := p.take('/')
		if !divide && !p.take('*') {
			return t, nil
		}
		var next term
		if next, err = p.operand(); err != nil {
			return t, err
		}
		switch {
		case divide && next.column != "":
			return t, p.fault(start, "the divisor must be a number, not the column %s", quote(next.column))
		case divide && next.factor == 0:
			return t, p.fault(start, "the divisor is 0")
		case divide:
			t.factor /= next.factor
		case t.column != "" && next.column != "":
			return t, p.fault(start, "the columns %s and %s cannot be multiplied; a term has at most one column",
				quote(t.column), quote(next.column))
		default:
			t.factor *= next.factor
			t.column += next.column // one of them is empty
		}
	}
	return t, err
}

// operand parses a number or a column.
func (p *expressionParser) operand() (term, error) {
	p.blanks()
	start := p.at
	if p.take('`') {
		p.at = start + 1 // a name may begin with blanks
		length := strings.IndexByte(p.text[p.at:], '`')
		switch {
		case length < 0:
			return term{}, p.fault(start, "the backquote is not closed")
		case length == 0:
			return term{}, p.fault(start, "there is no name between the backquotes")
		}
		p.at += length + 1
		return term{factor: 1, column: p.text[start+1 : p.at-1]}, nil
	}
	word := p.word()
	switch {
	case word == "":
		return term{}, p.unexpected("a number or a column")
	case word[0] != '.' && (word[0] < '0' || word[0] > '9'):
		return term{factor: 1, column: word}, nil
	}
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsInf(n, 0) {
		return term{}, p.fault(start, "%s is not a number; the name of a column that begins with a digit must be in backquotes", quote(word))
	}
	return term{factor: n}, nil
}

// word returns the longest word of letters, digits, underscores and points, with the sign of an
// exponent.
func (p *expressionParser) word() string {
	start := p.at
	for !p.done() {
		c, size := utf8.DecodeRuneInString(p.text[p.at:])
		sign := (c == '+' || c == '-') && exponent(p.text[start:p.at])
		if c != '_' && c != '.' && !unicode.IsLetter(c) && !unicode.IsDigit(c) && !sign {
			break
		}
		p.at += size
	}
	return p.text[start:p.at]
}

// exponent reports whether a word is a number up to the e of its exponent.
func exponent(word string) bool {
	mantissa := strings.TrimRight(word, "eE")
	_, err := strconv.ParseFloat(mantissa, 64)
	return len(mantissa) == len(word)-1 && err == nil
}

// fault returns an error at a byte of the expression.
func (p *expressionParser) fault(at int, format string, args ...any) error {
	return fmt.Errorf("%s, character %d: %s", quote(p.text), utf8.RuneCountInString(p.text[:at])+1, fmt.Sprintf(format, args...))
}

func (p *expressionParser) unexpected(want string) error {
	if p.done() {
		return p.fault(p.at, "the expression ends, want %s", want)
	}
	_, size := utf8.DecodeRuneInString(p.text[p.at:])
	return p.fault(p.at, "unexpected %s, want %s", quote(p.text[p.at:p.at+size]), want)
}

// column returns the name of the column if the expression is just that.
func (e *expression) column() (name string, ok bool) {
	if len(e.terms) == 1 && e.terms[0].factor == 1 {
		return e.terms[0].column, e.terms[0].column != ""
	}
	return "", false
}

// errEmpty says that a cell is empty.
var errEmpty = errors.New("it is empty; it must be a number")

// value returns the value for a row, and the column to which an error belongs.
func (e *expression) value(cells [][]byte) (v float64, column string, err error) {
	for _, t := range e.terms {
		if t.column == "" {
			v += t.factor
			continue
		}
		cell := cells[t.index]
		if len(cell) == 0 {
			return 0, t.column, errEmpty
		}
		n, err := strconv.ParseFloat(string(cell), 64)
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return 0, t.column, fmt.Errorf("%s is not a number", quote(cell))
		case math.IsNaN(n), math.IsInf(n, 0):
			return 0, t.column, fmt.Errorf("%s is not a finite number", quote(cell))
		}
		v += t.factor * n
	}
	return v, "", nil
}
