package main

import (
	"cmp"
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

The services differ, so compare contenders with the same service: a pool that knows each task by a
unique name does more than a pool that only runs it. A contender that cannot do the work of a table
is missing. If a submit waits for a worker, no tasks can be outstanding, and tasks that submit
others deadlock. Contenders that return results wait for a thousand of them at a time, so they are
missing where more tasks are outstanding, or where a task is submitted before the result of the
previous one. Contenders that submit batches are missing where tasks arrive one at a time.`

// report returns a table.
func (t table) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s. Rounds: %d.\n\n", t.Workload, capital(t.About), len(t.Entries[0].Rounds))
	base, ok := t.of(contest.Yardstick)
	if !ok { // the channel cannot do the work
		base = t.Entries[max(0, slices.IndexFunc(t.Entries, func(e entry) bool { return !e.Ours }))]
	}
	columns := []string{"", "service", "ns a task", "×, of " + base.Contender, "allocs", "bytes"}
	switch {
	case t.Latency:
		columns = []string{"", "service", "p50 µs", "×, of " + base.Contender, "p99 µs", "p99.9 µs"}
	case t.Isolated:
		columns = append(columns, "peak MiB", "peak goroutines")
	}
	fmt.Fprintf(&b, "|%s|\n|---|---|%s\n", strings.Join(columns, "|"), strings.Repeat("---:|", len(columns)-2))
	for _, e := range t.bySpeed() {
		name := e.Contender
		if e.Ours {
			name = "**" + name + "**"
		}
		ratio := fmt.Sprintf("%.2f", e.ratio(base))
		if e.Contender != base.Contender && len(e.Rounds) > 3 && !e.differs(base) {
			ratio += " ~"
		}
		cells := []string{name, string(e.Service)}
		switch {
		case t.Latency:
			cells = append(cells, fmt.Sprintf("%.2f", e.time().Center/1000), ratio,
				fmt.Sprintf("%.2f", e.latency(func(l contest.Latencies) float64 { return l.P99 })),
				fmt.Sprintf("%.2f", e.latency(func(l contest.Latencies) float64 { return l.P999 })))
		case t.Isolated:
			cells = append(cells, e.spread(), ratio, number(e.allocs()), fmt.Sprintf("%.0f", e.bytes()),
				fmt.Sprintf("%.0f", e.peakMiB()), fmt.Sprintf("%.0f", e.peakGoroutines()))
		default:
			cells = append(cells, e.spread(), ratio, number(e.allocs()), fmt.Sprintf("%.0f", e.bytes()))
		}
		fmt.Fprintf(&b, "|%s|\n", strings.Join(cells, "|"))
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

func number(n float64) string { return fmt.Sprintf("%.1f", math.Abs(n)) }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// aim is an upper bound on a ratio to another contender.
type aim struct {
	workload, ours, what string
	least                float64
	to                   string // a contender, or empty for the best of the other pools
	number               func(entry) float64
	why                  string // the ratio is not smaller, according to profiles
}

// What the costs consist of.
const (
	turns = "With one worker on one processor an item takes 17 ns: 6 for the task, which counts itself, 4 for the lock, " +
		"and the rest for the queue and the counters. Two workers on two processors add 2 to 4 ns, as the lock and the " +
		"data that it guards move between the processors."
	named = "Of the processor time of a named task, the memory of its handle takes three tenths (allocation, first write " +
		"and garbage collection), the table of names a sixth, and two readings of the clock for the status a sixteenth. " +
		"Most of the rest is cache lines that move between submitter and worker. On two processors that share no cache, " +
		"a named task takes half as long again."
	stacks = "The memory holds the waiting tasks and the tasks that sleep at the same time, each on a goroutine of 3 KiB " +
		"with its stack. By Little's law, the number of sleeping tasks is 10 ms divided by the time per task, so a slower " +
		"pool needs less memory. In the first 10 ms, before any task has ended, even more tasks start."
	wakeUp = "In addition to the work of a channel, the submit and the worker that it wakes each take the lock of the pool " +
		"once, and the item passes through the queue. Handing the item directly to the worker would save half of that. It " +
		"was rejected: on busy processors, other workers then ran items that were submitted later before it."
)

// aims returns the aims of the project.
func aims() []aim {
	perTask := func(e entry) float64 { return e.time().Center }
	p99 := func(e entry) float64 { return e.latency(func(l contest.Latencies) float64 { return l.P99 }) }
	const two, hundred, sleep = "empty, 2 workers", "empty, 100 workers", "sleep, 1 × 1000000"
	return []aim{
		{two, "scheduler.Pool", "time", 0.6, "pond.Go", nil, turns},
		{hundred, "scheduler.Pool", "time", 0.6, "pond.Go", nil, turns},
		{two, "scheduler.Pool", "time", 0.2, "ants.Pool", nil, turns},
		{hundred, "scheduler.Pool", "time", 0.2, "ants.Pool", nil, turns},
		{two, "TaskManager.SubmitFunc", "time", 0.7, "ants.Pool", nil, named},
		{two, "taskmanager.Async", "time", 0.5, "pond.ResultPool", nil, named},
		{two, "scheduler.Pool, SubmitAll", "time", 0.5, contest.Yardstick, nil, turns},
		{sleep, "scheduler.Pool", "time", 1, "", perTask, stacks},
		{sleep, "scheduler.Pool", "peak memory", 1, "", entry.peakMiB, stacks},
		{"latency", "scheduler.Pool", "p99", 1, "", p99, wakeUp},
	}
}

// verdict reports which aims are met.
func (r results) verdict() string {
	var b, missed strings.Builder
	b.WriteString("\n## Aims\n\n|workload|ours|ratio to|aim|measured|met|\n|---|---|---|---:|---:|---|\n")
	for _, a := range aims() {
		t, ok := r.table(a.workload)
		if !ok {
			continue
		}
		ours, found := t.of(a.ours)
		if !found {
			continue
		}
		other, ratio, ok := a.measured(t, ours)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "|%s|%s|%s of %s|≤ %.1f|%.2f|%s|\n", a.workload, a.ours, a.what, other, a.least, ratio,
			map[bool]string{true: "yes", false: "**no**"}[ratio <= a.least])
		if ratio > a.least {
			fmt.Fprintf(&missed, "- %s, %s of %s: %s\n", a.workload, a.what, a.ours, a.why)
		}
	}
	if missed.Len() > 0 {
		b.WriteString("\nReasons for the aims that are not met:\n\n" + missed.String())
	}
	return b.String()
}

// measured returns the ratio to the contender that the aim names, or to the best of the
// other pools with the same service.
func (a aim) measured(t table, ours entry) (other string, ratio float64, ok bool) {
	if a.to != "" {
		e, ok := t.of(a.to)
		if !ok {
			return "", 0, false
		}
		return a.to, ours.ratio(e), true
	}
	var pools []entry
	for _, e := range t.Entries {
		if !e.Ours && e.Service == ours.Service && e.Contender != "a goroutine each" {
			pools = append(pools, e)
		}
	}
	if len(pools) == 0 {
		return "", 0, false
	}
	best := slices.MinFunc(pools, func(x, y entry) int { return cmp.Compare(a.number(x), a.number(y)) })
	return best.Contender, a.number(ours) / a.number(best), true
}
