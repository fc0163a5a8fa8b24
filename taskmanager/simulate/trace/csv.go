package trace

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// field is a field of a job, as a column of CSV.
type field struct {
	name  string
	parse func(p *parser, cell []byte) error // nil: it is not part of the job
}

// fields are the columns of CSV.
var fields = []field{
	{"at", func(p *parser, cell []byte) (err error) { p.row.At, err = seconds(cell); return err }},
	{"service", (*parser).service},
	{"kind", func(p *parser, cell []byte) error { p.row.Kind = p.texts.of(cell); return nil }},
	{"key", func(p *parser, cell []byte) error { p.row.Key = p.texts.of(cell); return nil }},
	{"priority", func(p *parser, cell []byte) (err error) { p.row.Priority, err = whole[int](cell); return err }},
	{"cost", func(p *parser, cell []byte) (err error) { p.row.Cost, err = natural[int64](cell); return err }},
	{"deadline", func(p *parser, cell []byte) (err error) { p.row.Deadline, err = seconds(cell); return err }},
	{"fails", func(p *parser, cell []byte) (err error) { p.row.Fails, err = natural[int](cell); return err }},
	{"wait", nil},
	{"outcome", nil},
}

const (
	atField = iota // the indexes of fields
	serviceField
)

// CSV returns the format of this project. The first line is a header with the names of the columns,
// in any order:
//
//	at        seconds from the start of the workload to the arrival
//	service   seconds that an execution takes
//	kind      the sort of task
//	key       the key, such as a tenant
//	priority  the level; a whole number
//	cost      the cost for fair sharing; a whole number, not negative
//	deadline  seconds from the arrival to the time when the job should start
//	fails     how many executions fail before one succeeds
//	wait      of recordings: seconds from the arrival to the first execution
//	outcome   of recordings: how the task ended
//
// Only at and service are required. In other columns, an empty field stands for the default: no text,
// or 0. The time before the first arrival is part of the workload, and at most 10⁸ seconds; [Columns]
// reads times that begin elsewhere, such as Unix times. Seconds are decimal numbers, and exact to the nanosecond. Fields may be in double quotes.
// Blanks around a field, empty lines, and lines that begin with # are skipped. A header in the middle
// is skipped too, so that files with the same columns can be concatenated.
//
// A file with both of the columns wait and outcome is a recording. Its rows are in the order in which
// tasks ended, so they are sorted in full, see [Format.Window], and times are relative to the first
// arrival. A recording contains tasks that never ran, because they were cancelled, dropped or shed;
// their field service is empty. Under another policy such a task may run. It gets the mean
// service time of its kind, or of all kinds if none of its kind ran. If a window is given, it is the
// mean of the rows that have been read by then.
func CSV() Format { return Format{read: readCSV} }

func readCSV(in *input) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		t := table{in: in, comma: ',', comments: true}
		p := parser{texts: make(texts)}
		if err := t.readHeader(); err != nil {
			yield(row{}, err)
			return
		}
		columns, err := p.columns(t.header)
		if err != nil {
			yield(row{}, at(t.line, err))
			return
		}
		if p.recording {
			in.window, in.relative, in.recorded = InFull, true, true
		}
		t.each(yield, func(cells [][]byte) (row, error) {
			err := p.parse(&t, columns, cells)
			return p.row, err
		})
	}
}

// parser turns rows of CSV into jobs.
type parser struct {
	row       row
	texts     texts
	recording bool
}

// columns returns the fields in which the columns of a header are.
func (p *parser) columns(header []string) ([]field, error) {
	columns := make([]field, len(header))
	found := make([]bool, len(fields))
	for i, name := range header {
		if name == "" {
			return nil, fmt.Errorf("column %d of the header has no name", i+1)
		}
		at := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
		if at < 0 {
			return nil, fmt.Errorf("the column %s is unknown; the columns of CSV are %s; to read others, map them with Columns",
				quote(name), fieldNames())
		}
		if found[at] {
			return nil, fmt.Errorf("the header has two columns %s", quote(name))
		}
		columns[i], found[at] = fields[at], true
	}
	for _, required := range []int{atField, serviceField} {
		if !found[required] {
			return nil, fmt.Errorf("the header has no column %s; the first line must have the names of the columns", fields[required].name)
		}
	}
	p.recording = found[len(fields)-1] && found[len(fields)-2]
	return columns, nil
}

// fieldNames lists the columns of CSV.
func fieldNames() string { return strings.ReplaceAll(strings.TrimSpace(Header), ",", ", ") }

// parse parses a row.
func (p *parser) parse(t *table, columns []field, cells [][]byte) error {
	p.row = row{line: t.line}
	for i, f := range columns {
		if f.parse == nil || len(cells[i]) == 0 && f.name != "at" && f.name != "service" {
			continue
		}
		if err := f.parse(p, cells[i]); err != nil {
			return &located{line: t.line, column: f.name, err: err}
		}
	}
	return nil
}

// service parses the service time, which is empty if a task of a recording never ran.
func (p *parser) service(cell []byte) (err error) {
	if p.row.neverRan = p.recording && len(cell) == 0; p.row.neverRan {
		return nil
	}
	p.row.Service, err = seconds(cell)
	return err
}

// texts makes equal texts share their memory, and saves most allocations: traces have few kinds
// and keys.
type texts map[string]string

// mostTexts limits the memory of a trace with many keys.
const mostTexts = 4096

func (t texts) of(b []byte) string {
	if s, ok := t[string(b)]; ok {
		return s
	}
	if len(t) == mostTexts {
		clear(t)
	}
	s := string(b)
	t[s] = s
	return s
}
