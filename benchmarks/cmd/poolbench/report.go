package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

// read reads the raw data of an earlier run.
func read(file string) (r results, err error) {
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return r, fmt.Errorf("poolbench: -from: %w", err)
	}
	for _, t := range r.Tables {
		for _, e := range t.Entries {
			for i := range e.Rounds {
				e.Rounds[i].Round = i
			}
		}
	}
	return r, nil
}

// write writes the report, the charts and the raw data.
func (r results) write(dir string) error {
	charts := filepath.Join(dir, "charts")
	if err := os.MkdirAll(charts, 0o777); err != nil {
		return fmt.Errorf("poolbench: %w", err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("poolbench: %w", err)
	}
	files := map[string][]byte{filepath.Join(charts, "raw.json"): raw}
	var drawn []string
	for _, c := range r.charts() {
		picture, err := c.render()
		if err != nil {
			return err
		}
		files[filepath.Join(charts, c.file)] = picture
		drawn = append(drawn, fmt.Sprintf("![%s](charts/%s)", c.title, c.file))
	}
	files[filepath.Join(dir, "RESULTS.md")] = []byte(r.report(drawn))
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o666); err != nil {
			return fmt.Errorf("poolbench: %w", err)
		}
	}
	return nil
}

// report returns the text of RESULTS.md.
func (r results) report(charts []string) string {
	var b strings.Builder
	command, extent := "make bench", "All workloads"
	if r.Quick {
		command, extent = "make bench-quick", "Some workloads"
	}
	fmt.Fprintf(&b, "# Side by side with other pools\n\n")
	fmt.Fprintf(&b, "%s, measured on %s in %.0f s by `%s`: %s, %s, GOMAXPROCS %d, %s.\n",
		extent, r.Begun.Format("2006-01-02"), r.Elapsed, command, r.Processor, r.Platform, r.Procs, r.Go)
	fmt.Fprintf(&b, "The others:")
	for i, m := range slices.Sorted(maps.Keys(r.Modules)) {
		fmt.Fprintf(&b, "%s %s %s", map[bool]string{true: ","}[i > 0], m, r.Modules[m])
	}
	fmt.Fprintf(&b, ".\ntunny is missing: its module could not be fetched.\n\n%s\n", method)
	b.WriteString(r.verdict())
	if len(charts) > 0 {
		b.WriteString("\n## Charts\n\n" + strings.Join(charts, "\n\n") + "\n")
	}
	b.WriteString("\n## Tables\n")
	for _, t := range r.Tables {
		b.WriteString("\n" + t.report())
	}
	return b.String()
}

const method = `The contenders take turns, and each round starts with a garbage collection. A time runs from the
first submit to the end of the last task, divided by the number of tasks. The number of tasks that
ended is checked. The table shows the median of the rounds, ± half of its 95 % confidence interval
(omitted if there are too few rounds). The ratio is the median of the ratios in each round; ~ means
that the difference is not significant. Our contenders are in **bold**. Like the others, they start
with one worker.

The host of a virtual machine moves its processors between cores. Before and after each measurement,
two threads pass a cache line to and fro; the time one way is the transfer time. Below 150 ns the
processors are **near**, otherwise **far**. Contenders whose goroutines share data depend on it, and
not all by the same factor, so ratios too hold for one state only. A measurement during which the
state changed is left out and repeated, up to half as often as there are rounds. Each state with enough
measurements has columns of its own; allocations and memory are those of all measurements. If no state has
enough of them, which happens where a measurement takes long, the table says so, and a column has the states
of each row. Its ratios compare only measurements in the same state; – means that there are none.
If other programs used more than a tenth of the processors, do not rely on a table: they change ratios too.

The services differ, so compare contenders with the same service: a pool that knows each task by a
unique name does more than a pool that only runs it. A contender that cannot do the work of a table
is missing. If a submit waits for a worker, no tasks can be outstanding, and tasks that submit
others deadlock. Contenders that return results wait for a thousand of them at a time, so they are
missing where more tasks are outstanding, or where a task is submitted before the result of the
previous one. Contenders that submit batches are missing where tasks arrive one at a time.`

// column is a column of a table.
type column struct {
	title string
	cell  func(e entry) string // of a contender
}

// plain is a column of medians over all measurements.
func plain(title, format string, number func(measurement) float64) column {
	return column{title, func(e entry) string { return fmt.Sprintf(format, math.Abs(e.median(number))) }}
}

// columns returns the columns of a table: those of each state, and those that do not depend on it.
func (t table) columns() (list []column) {
	views := t.views()
	for _, v := range views {
		suffix := ""
		if len(views) > 1 {
			suffix = ", " + v.state.String()
		}
		for _, c := range v.columns() {
			list = append(list, column{c.title + suffix, func(e entry) string {
				e, _ = v.of(e.Contender)
				return c.cell(e)
			}})
		}
	}
	if !t.Latency {
		list = append(list, plain("allocs", "%.1f", allocsPerTask), plain("bytes", "%.0f", bytesPerTask))
	}
	if t.Isolated {
		list = append(list, plain("peak MiB", "%.0f", peakMiB), plain("peak goroutines", "%.0f", peakGoroutines))
	}
	if t.varied() {
		list = append(list, column{"state", entry.stateList})
	}
	return list
}

// columns returns the columns of a state.
func (v view) columns() (list []column) {
	base, ok := v.of(contest.Yardstick)
	if !ok { // the channel cannot do the work
		base = v.Entries[max(0, slices.IndexFunc(v.Entries, func(e entry) bool { return !e.Ours }))]
	}
	ratio := column{"×, of " + base.Contender, func(e entry) string { return e.ratioTo(base) }}
	switch {
	case v.Latency:
		return []column{plain("p50 µs", "%.2f", p50), ratio, plain("p99 µs", "%.2f", p99), plain("p99.9 µs", "%.2f", p999)}
	case v.Beside > 0:
		return []column{{"ns a task", entry.spread}, ratio, plain(fmt.Sprintf("×, of %d outstanding", v.Beside), "%.2f", beside)}
	default:
		return []column{{"ns a task", entry.spread}, ratio}
	}
}

// ratioTo formats the ratio of the times.
func (e entry) ratioTo(base entry) string {
	ratio, ok := e.ratio(base, perTask)
	switch {
	case !ok:
		return "–"
	case e.Contender != base.Contender && len(e.Rounds) > 3 && !e.differs(base):
		return fmt.Sprintf("%.2f ~", ratio)
	default:
		return fmt.Sprintf("%.2f", ratio)
	}
}

// report returns a table.
func (t table) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s. %s\n\n", t.Workload, capital(t.About), t.condition())
	columns := t.columns()
	b.WriteString("||service|")
	for _, c := range columns {
		b.WriteString(c.title + "|")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	for _, e := range t.bySpeed() {
		name := e.Contender
		if e.Ours {
			name = "**" + name + "**"
		}
		fmt.Fprintf(&b, "|%s|%s|", name, e.Service)
		for _, c := range columns {
			b.WriteString(c.cell(e) + "|")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// spread formats the time and its confidence interval.
func (e entry) spread() string {
	s := e.time()
	text := fmt.Sprintf("%.0f", s.Center)
	if s.Center < 10 {
		text = fmt.Sprintf("%.1f", s.Center)
	}
	if half := (s.Hi - s.Lo) / 2; !math.IsInf(half, 0) && !math.IsNaN(half) && len(e.Rounds) > 3 {
		text += fmt.Sprintf(" ± %.0f %%", 100*half/s.Center)
	}
	return text
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
