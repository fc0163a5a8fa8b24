package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// write writes the tables and explains them.
func (rep report) write(out io.Writer) {
	_, _ = fmt.Fprintf(out, "old: %s\nnew: %s\n", rep.Old, rep.New)
	costs, latencies := newTable(out, 7), newTable(out, 10)
	costs.AppendHeader(table.Row{"costs", "figure", "old", "new", "new/old", "interval", "new takes", "processors"})
	latencies.AppendHeader(table.Row{"from submit to start", "figure", "channel", "old", "new", "old/channel", "new/channel", "new/old", "interval", "new takes", "processors"})
	for _, r := range rep.Results {
		for i, f := range r.Figures {
			s := summarise(f)
			row := table.Row{"", f.Name}
			if i == 0 {
				row[0] = r.Workload
			}
			t := costs
			if f.Channel == nil {
				row = append(row, number(s.Old), number(s.New))
			} else {
				t = latencies
				row = append(row, number(s.Channel), number(s.Old), number(s.New), number(s.OldToChannel), number(s.NewToChannel))
			}
			row = append(row, s.cells()...)
			if i == 0 {
				row = append(row, state(r.Before, r.After))
			}
			t.AppendRow(row)
		}
		costs.AppendSeparator()
		latencies.AppendSeparator()
	}
	for _, t := range []table.Writer{costs, latencies} {
		if t.Length() > 0 {
			t.Render()
		}
	}
	_, _ = fmt.Fprintf(out, legend, yardstick.FarFrom)
}

const legend = `old, new    medians of all rounds
new/old     median of the ratios of new to old in each round; below 1, new takes less
interval    95 %% confidence interval of new/old; in parentheses, the least and the greatest ratio,
            because there are too few rounds for a confidence interval
~           the difference may be chance
processors  time to pass a cache line from one processor to the other, before and after the
            workload: from %.0f ns on they are far from each other, below that near. On a virtual
            machine that changes. Compare ratios only with those of the same state.
`

// newTable returns a table whose columns from the third one to the last number are of numbers.
func newTable(out io.Writer, lastNumber int) table.Writer {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // not in capitals
	t.SetStyle(style)
	t.SetOutputMirror(out)
	var columns []table.ColumnConfig
	for n := 3; n <= lastNumber; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t
}

// cells returns the ratio, its interval and the verdict.
func (s summary) cells() []any {
	interval := fmt.Sprintf("%.3f – %.3f", s.Low, s.High)
	switch {
	case s.nothing():
		return []any{"", "", "~"}
	case s.Few:
		interval = "(" + interval + ")"
	}
	return []any{fmt.Sprintf("%.3f", s.Ratio), interval, s.verdict()}
}

// state describes the state of the processors before and after a workload.
func state(before, after yardstick.Transfer) string {
	one := func(t yardstick.Transfer) string {
		if t.State != yardstick.Near && t.State != yardstick.Far {
			return yardstick.Unknown.String()
		}
		return fmt.Sprintf("%v, %.0f ns", t.State, t.Nanoseconds)
	}
	first, second := one(before), one(after)
	switch {
	case first == second:
		return first
	case before.State == after.State:
		return fmt.Sprintf("%v, %.0f to %.0f ns", before.State,
			min(before.Nanoseconds, after.Nanoseconds), max(before.Nanoseconds, after.Nanoseconds))
	default:
		return first + "; then " + second
	}
}

// number formats a number with three digits or more.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
