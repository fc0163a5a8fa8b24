package trace

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mapping says from which columns of a table the fields of a job come. Except for Kind and Key,
// each is an expression: a sum or difference of the terms NUMBER, COLUMN, NUMBER*COLUMN and
// COLUMN/NUMBER, such as 0.0002*ContextTokens + 0.02*GeneratedTokens. A column is its name in the
// header, in the same case. A name with characters other than letters, digits, points and
// underscores, or that begins with a digit, must be in backquotes: `run time`.
type Mapping struct {
	// At is the time of the arrival; required. If it is the name of a column, that may have
	// timestamps: of RFC 3339, or such as 2006-01-02 15:04:05.999999999, which is in UTC unless a
	// zone follows. Otherwise the unit is the second; 0.001*millis converts milliseconds. Times
	// become relative to the first arrival.
	At string

	Service string // the seconds that an execution takes; required

	Kind, Key string // the names of columns with texts, or empty for none

	Priority, Cost, Fails string // whole numbers, rounded; empty for 0

	Deadline string // in seconds after the arrival; empty for none

	Comma byte // separates the columns; 0 for a comma
}

// Columns returns the format of tables with a header, such as exports from other programs. The error
// says which expression is wrong, and where. Columns that the mapping does not name are ignored. Rows
// must be in order of arrival, see [Format.Window]. An empty cell of At or Service is an error; where
// another expression has an empty cell, it is 0. Quotes, blanks and empty lines are as in [CSV]. There
// are no comments, since the first column of a table may have texts that begin with #. Expressions
// have the precision of a float64; a number of seconds in a column of its own is exact to the
// nanosecond.
func Columns(m Mapping) (Format, error) {
	if m.Comma == '"' || m.Comma == '\n' || m.Comma == '\r' || m.Comma == ' ' {
		return Format{}, fmt.Errorf("trace: columns cannot be separated by %s", quote([]byte{m.Comma}))
	}
	if m.Comma == 0 {
		m.Comma = ','
	}
	var faults []error
	parse := func(of, text string) *expression {
		if strings.TrimSpace(text) == "" {
			if of == "at" || of == "service" {
				faults = append(faults, fmt.Errorf("the mapping has no expression for %s", of))
			}
			return nil
		}
		e, err := parseExpression(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("the expression for %s, %w", of, err))
		}
		return &e
	}
	template := mapped{
		comma: m.Comma, kind: columnName(m.Kind), key: columnName(m.Key),
		at: parse("at", m.At), service: parse("service", m.Service), priority: parse("priority", m.Priority),
		cost: parse("cost", m.Cost), deadline: parse("deadline", m.Deadline), fails: parse("fails", m.Fails),
	}
	if err := errors.Join(faults...); err != nil {
		return Format{}, fmt.Errorf("trace: %w", err)
	}
	return Format{read: func(in *input) iter.Seq2[row, error] {
		return func(yield func(row, error) bool) { template.read(in, yield) }
	}}, nil
}

// columnName returns the name of a column, which may be in backquotes.
func columnName(s string) string {
	if len(s) > 1 && s[0] == '`' && s[len(s)-1] == '`' {
		return s[1 : len(s)-1]
	}
	return s
}

// mapped reads jobs by a mapping.
type mapped struct {
	comma                                        byte
	at, service, priority, cost, deadline, fails *expression // nil: not mapped
	kind, key                                    string      // columns; empty: not mapped
	timeIndex, kindIndex, keyIndex               int         // of columns; -1: none
	texts                                        texts
	layout                                       string // of the time column; empty: not known yet
}

// read reads a table. The receiver is a copy, as it remembers what it finds out about the table.
func (m mapped) read(in *input, yield func(row, error) bool) {
	in.relative = true
	t := table{in: in, comma: m.comma}
	err := t.readHeader()
	if err == nil {
		err = at(t.line, m.locate(t.header))
	}
	if err != nil {
		yield(row{}, err)
		return
	}
	m.texts = make(texts)
	t.each(yield, func(cells [][]byte) (row, error) {
		r, err := m.row(&t, cells)
		in.dates = m.timeIndex >= 0 && m.layout != inSeconds
		return r, err
	})
}

// locate looks the columns up.
func (m *mapped) locate(header []string) (err error) {
	index := func(of, name string) int {
		i := slices.Index(header, name)
		switch {
		case i < 0:
			err = fmt.Errorf("the column %s for %s is not in the header; the columns are %s", quote(name), of, list(header))
		case slices.Contains(header[i+1:], name):
			err = fmt.Errorf("the header has two columns %s", quote(name))
		}
		return i
	}
	look := func(of string, e *expression) *expression {
		if e == nil {
			return nil
		}
		found := &expression{text: e.text, terms: slices.Clone(e.terms)} // others may use e at the same time
		for i := range found.terms {
			if t := &found.terms[i]; t.column != "" {
				t.index = index(of, t.column)
			}
		}
		return found
	}
	m.fails, m.deadline, m.cost, m.priority = look("fails", m.fails), look("deadline", m.deadline), look("cost", m.cost), look("priority", m.priority)
	m.timeIndex, m.kindIndex, m.keyIndex = -1, -1, -1
	if m.key != "" {
		m.keyIndex = index("key", m.key)
	}
	if m.kind != "" {
		m.kindIndex = index("kind", m.kind)
	}
	m.service, m.at = look("service", m.service), look("at", m.at) // last, so that their errors win
	if name, ok := m.at.column(); ok && err == nil {
		m.timeIndex = slices.Index(header, name)
	}
	return err
}

// list lists columns for an error.
func list(header []string) string {
	const most = 30
	quoted := make([]string, 0, most+1)
	for _, h := range header[:min(len(header), most)] {
		quoted = append(quoted, quote(h))
	}
	if len(header) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(header)-most))
	}
	return strings.Join(quoted, ", ")
}

// row turns a row into a job.
func (m *mapped) row(t *table, cells [][]byte) (row, error) {
	r := row{line: t.line}
	var failed error
	fail := func(column string, err error) {
		if err != nil && failed == nil {
			failed = &located{line: t.line, column: column, err: err}
		}
	}
	if m.timeIndex >= 0 {
		var err error
		r.At, err = m.time(cells[m.timeIndex])
		fail(t.header[m.timeIndex], err)
	} else {
		r.At = m.seconds("at", m.at, cells, true, fail)
	}
	r.Service = m.seconds("service", m.service, cells, true, fail)
	r.Deadline = m.seconds("deadline", m.deadline, cells, false, fail)
	r.Priority = int(m.whole("priority", m.priority, cells, math.MinInt64, fail))
	r.Cost = m.whole("cost", m.cost, cells, 0, fail)
	r.Fails = int(m.whole("fails", m.fails, cells, 0, fail))
	if m.kindIndex >= 0 {
		r.Kind = m.texts.of(cells[m.kindIndex])
	}
	if m.keyIndex >= 0 {
		r.Key = m.texts.of(cells[m.keyIndex])
	}
	return r, failed
}

// seconds returns the value of an expression that is a time.
func (m *mapped) seconds(of string, e *expression, cells [][]byte, required bool, fail func(string, error)) time.Duration {
	if e == nil {
		return 0
	}
	if _, ok := e.column(); ok && len(cells[e.terms[0].index]) > 0 { // exact
		d, err := seconds(cells[e.terms[0].index])
		fail(e.terms[0].column, err)
		return d
	}
	v, column, err := e.value(cells)
	if err != nil {
		if required || !errors.Is(err, errEmpty) {
			fail(column, err)
		}
		return 0
	}
	d, err := duration(v, fmt.Sprint(v))
	if err != nil {
		fail(of, fmt.Errorf("the value of %s: %w", e.text, err))
	}
	return d
}

// whole returns the value of an expression that is a whole number.
func (m *mapped) whole(of string, e *expression, cells [][]byte, least float64, fail func(string, error)) int64 {
	if e == nil {
		return 0
	}
	v, column, err := e.value(cells)
	if err != nil {
		if !errors.Is(err, errEmpty) {
			fail(column, err)
		}
		return 0
	}
	switch v = math.Round(v); {
	case v < least:
		fail(of, fmt.Errorf("the value of %s, %v, is negative", e.text, v))
	case !(v >= math.MinInt && v < math.MaxInt): // the float64 is above it
		fail(of, fmt.Errorf("the value of %s, %v, is too large", e.text, v))
	default:
		return int64(v)
	}
	return 0
}

// inSeconds is the layout of times that are numbers.
const inSeconds = "seconds"

// layouts are those of timestamps. All accept fractions of a second.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05Z07",
}

// time parses a cell of the time column. All of them have the same layout.
func (m *mapped) time(cell []byte) (time.Duration, error) {
	if m.layout == "" {
		m.layout = inSeconds
		if i := slices.IndexFunc(layouts, func(l string) bool { _, err := time.Parse(l, string(cell)); return err == nil }); i >= 0 {
			m.layout = layouts[i]
		} else if _, err := strconv.ParseFloat(string(cell), 64); errors.Is(err, strconv.ErrSyntax) && len(cell) > 0 {
			return 0, fmt.Errorf("%s is neither a number of seconds nor a timestamp such as 2006-01-02 15:04:05.999 or 2006-01-02T15:04:05Z", quote(cell))
		}
	}
	if m.layout == inSeconds {
		return seconds(cell)
	}
	at, err := time.Parse(m.layout, string(cell))
	if err != nil {
		return 0, fmt.Errorf("%s is not a timestamp as those before it, such as %s", quote(cell), m.layout)
	}
	if y := at.UTC().Year(); y < 1678 || y > 2261 { // the years that nanoseconds can express
		return 0, fmt.Errorf("the year of %s is not from 1678 to 2261", quote(cell))
	}
	return time.Duration(at.UnixNano()), nil
}
