package objective

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says at which word of a text the parser failed, and what it expected there.
type SyntaxError struct {
	Text     string // the whole text
	Word     string // where the parser failed; empty at the end of the text
	Position int    // of the word, counted from 1
	Expected string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("%q ends too early: expected %s", e.Text, e.Expected)
	}
	return fmt.Sprintf("%q, word %d: expected %s, not %q", e.Text, e.Position, e.Expected, e.Word)
}

// words is what the parser has not read yet.
type words struct {
	text string
	all  []string
	next int
}

// peek returns the next word, or "" at the end.
func (w *words) peek() string {
	if w.next == len(w.all) {
		return ""
	}
	return w.all[w.next]
}

// is reports whether the next word is a keyword, in letters of any case.
func (w *words) is(keyword string) bool { return strings.EqualFold(w.peek(), keyword) }

// compares reports whether the next word is a comparison, right or wrong.
func (w *words) compares() bool {
	first, _ := utf8.DecodeRuneInString(w.peek())
	return compares(first)
}

// take consumes the next word if it is a keyword.
func (w *words) take(keyword string) bool {
	ok := w.is(keyword)
	if ok {
		w.next++
	}
	return ok
}

// fail returns the error that the next word is not what the grammar expects.
func (w *words) fail(format string, args ...any) error {
	return &SyntaxError{Text: w.text, Word: w.peek(), Position: w.next + 1, Expected: fmt.Sprintf(format, args...)}
}

// separates reports whether a character ends a word.
func separates(r rune) bool { return unicode.IsSpace(r) || compares(r) || r == '"' }

// compares reports whether a character belongs to a comparison.
func compares(r rune) bool { return strings.ContainsRune("<>=≤≥!", r) }

// split splits a text into words: quoted keys, comparisons, and what is between spaces.
func split(text string) *words {
	w := &words{text: text}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		length := strings.IndexFunc(rest, separates)
		switch first, _ := utf8.DecodeRuneInString(rest); {
		case first == '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if length = len(quoted); err != nil {
				length = len(rest) // the parser reports that it is not a key
			}
		case compares(first):
			length = strings.IndexFunc(rest, func(r rune) bool { return !compares(r) })
		}
		if length < 0 {
			length = len(rest)
		}
		w.all = append(w.all, rest[:length])
		rest = rest[length:]
	}
	return w
}

// Parse reads an objective. The error is a [*SyntaxError], or it says that the objective can
// never be met.
func Parse(text string) (Objective, error) {
	w := split(text)
	var o Objective
	var err error
	if o.Quantity, err = w.quantity("<= or >="); err != nil {
		return Objective{}, err
	}
	switch {
	case w.take("<="), w.take("≤"):
	case w.take(">="), w.take("≥"):
		o.AtLeast = true
	default:
		return Objective{}, w.fail("<= or >=")
	}
	if o.Bound, o.Quantity.Percent, err = w.bound(o.Quantity); err != nil {
		return Objective{}, err
	}
	if w.peek() != "" {
		return Objective{}, w.fail("the end")
	}
	return o, o.possible()
}

// ParseQuantity reads a quantity, for example of one to minimise.
func ParseQuantity(text string) (Quantity, error) {
	w := split(text)
	q, err := w.quantity("the end")
	if err == nil && w.peek() != "" {
		err = w.fail("the end")
	}
	if err != nil {
		return Quantity{}, err
	}
	return q, nil
}

// possible returns an error if no value meets the objective.
func (o Objective) possible() error {
	most := o.Quantity.most()
	switch {
	case !o.AtLeast && o.Bound < 0:
		return fmt.Errorf("%q is never met: %s is never below 0", o, o.Quantity)
	case o.AtLeast && most > 0 && o.Bound > most:
		return fmt.Errorf("%q is never met: %s is never above %s", o, o.Quantity, o.Quantity.Format(most))
	}
	return nil
}

// quantity reads a quantity. The grammar expects next after it.
func (w *words) quantity(next string) (q Quantity, err error) {
	of := func(distributed bool) (names []string) {
		for _, m := range measures {
			if m.distributed() == distributed {
				names = append(names, m.name)
			}
		}
		return names
	}
	q.Statistic, err = w.statistic()
	distributed := q.Statistic != Statistic{}
	switch names := of(distributed); {
	case err != nil:
		return q, err
	case w.measure(&q, names):
	case distributed:
		return q, w.fail("%s after %s", alternatives(names), q.Statistic)
	case slices.ContainsFunc(of(true), w.is):
		return q, w.fail("mean, max or a percentile such as p99 before %s", w.peek())
	default:
		return q, w.fail("mean, max, a percentile such as p99, %s", alternatives(names))
	}
	if !w.is("of") {
		if w.peek() == "" || w.compares() || q.entry().whole != nil {
			return q, nil
		}
		return q, w.fail("%s, or of and a key", next)
	}
	if q.entry().whole != nil {
		return q, w.fail("%s, since %s is of all jobs together", next, q.Measure)
	}
	w.next++
	return q, w.key(&q)
}

// alternatives lists words for an error.
func alternatives(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// measure reads one of the measures. A name of two words may be written with a hyphen, or vice
// versa.
func (w *words) measure(q *Quantity, names []string) bool {
	for _, name := range names {
		first, second, two := strings.Cut(strings.ReplaceAll(name, "-", " "), " ")
		switch {
		case w.take(name), two && w.take(first+"-"+second):
			q.Measure = name
			return true
		case two && w.is(first) && w.next+1 < len(w.all) && strings.EqualFold(w.all[w.next+1], second):
			w.next += 2
			q.Measure = name
			return true
		}
	}
	return false
}

// statistic reads a statistic, if the next word is one.
func (w *words) statistic() (s Statistic, err error) {
	switch {
	case w.take("mean"):
		return Statistic{Mean: true}, nil
	case w.take("max"):
		return Statistic{Percentile: 100}, nil
	case w.is("peak"), w.is("peak-workers"):
		return s, nil
	}
	digits, isPercentile := strings.CutPrefix(strings.ToLower(w.peek()), "p")
	if !isPercentile {
		return s, nil
	}
	p, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(p > 0 && p <= 100) || !decimal(digits) {
		return s, w.fail("a percentile above p0 and up to p100, such as p99 or p99.9")
	}
	w.next++
	return Statistic{Percentile: p}, nil
}

// decimal reports whether a number has only digits and a point, so that words such as p1e1 and
// p0x1 are no percentiles.
func decimal(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// key reads the key that follows "of".
func (w *words) key(q *Quantity) error {
	if w.take("key") && (w.peek() == "" || w.compares()) {
		w.next-- // the key is "key"
	}
	word := w.peek()
	switch {
	case word == "" || w.compares():
		return w.fail("a key")
	case word[0] == '"':
		key, err := strconv.Unquote(word)
		if err != nil {
			return w.fail("a key in quotes that end")
		}
		word = key
	}
	q.Key, q.Keyed = word, true
	w.next++
	return nil
}

// longest is the longest duration that the parser accepts. Float64 represents its nanoseconds.
const longest = 100 * 24 * time.Hour

// bound reads the value with which a quantity is compared.
func (w *words) bound(q Quantity) (bound float64, percent bool, err error) {
	word := w.peek()
	count := q.entry().count != nil
	if q.Unit() == Duration {
		d, err := time.ParseDuration(word)
		if err != nil || d.Abs() > longest {
			return 0, false, w.fail("a duration with a unit, such as 200ms or 1.5s, of at most 100 days")
		}
		w.next++
		return float64(d), false, nil
	}
	if count {
		word, percent = strings.CutSuffix(word, "%")
	}
	bound, err = strconv.ParseFloat(word, 64)
	switch ok := err == nil && !math.IsNaN(bound) && !math.IsInf(bound, 0); {
	case !ok && count:
		return 0, false, w.fail("a number of jobs, or a percentage such as 1%%")
	case !ok:
		return 0, false, w.fail("a number without a unit")
	}
	w.next++
	return bound, percent || count && w.take("%"), nil
}
