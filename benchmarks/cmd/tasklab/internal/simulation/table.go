package simulation

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// ExplainColumns writes the part of the help that explains the tables.
func ExplainColumns(help io.Writer) {
	output.Say(help, `
The columns of the tables, without those that are empty or the same for all rows, are
  tasks       tasks that arrived
  done        tasks that succeeded, if not all did
  failed      tasks whose last execution failed
  shed        tasks given up by the queue, because they had waited too long
  dropped     tasks given up because the queue was full
  cancelled   tasks that the manager ended
  unfinished  tasks that had not ended when the simulation was interrupted
  late        tasks that started after their deadline
  wait        from the arrival to the first start: 50, 95 or 99%% of the tasks that
              started waited no longer than p50, p95 or p99
  sojourn     from the arrival to the end, of the tasks that ran to an end
  run         the mean time of an execution
  worker-s    the sum of the lifetimes of all workers, in seconds: the cost
  peak        the most workers at any time
  turns       how often the scaler changed from raising its target to lowering it, or
              back
  jain        Jain's fairness index over the keys: 1 if all keys that wait at the same
              time get equally many workers, in proportion to their weights, and 1/n if
              one of n keys gets them all
  slowdown    the sojourn divided by the time that the executions take by themselves
`)
}

// Text returns the tables: of the settings, of the differences between them, of the
// keys and of the kinds.
func (s Simulation) Text() string {
	var b strings.Builder
	b.WriteString(s.settingsTable().Render() + "\n")
	if len(s.Differences) > 0 {
		b.WriteString(s.differenceTable().Render() + "\n")
	}
	keys := func(r Result) (all []named) {
		for _, k := range r.Keys {
			all = append(all, named{k.Key, k.Figures})
		}
		return all
	}
	kinds := func(r Result) (all []named) {
		for _, k := range r.Kinds {
			all = append(all, named{k.Kind, k.Figures})
		}
		return all
	}
	b.WriteString(s.groupTable("key", keys) + s.groupTable("kind", kinds))
	return b.String()
}

// settingsTable has a row for each setting.
func (s Simulation) settingsTable() table.Writer {
	count := output.English().Sprint
	t := output.NewTable(s.title() + "\n" + s.load() + "\n" + s.common())
	t.SuppressEmptyColumns()
	header := table.Row{
		"setting", "tasks", "done", "failed", "shed", "dropped", "cancelled", "unfinished", "late", "wait p50", "p95", "p99",
		"sojourn p99", "run", "worker-s", "peak", "turns", "jain",
	}
	t.AppendHeader(header)
	labels := s.Labels()
	for i, r := range s.Settings {
		label := labels[i]
		if r.Partial {
			label += " (partial)"
		}
		jain := ""
		if len(r.Keys) > 1 {
			jain = fmt.Sprintf("%.3f", r.Jain)
		}
		row := append(table.Row{label}, r.outcomes()...)
		t.AppendRow(append(row, r.wait(r.WaitP50), r.wait(r.WaitP95), r.wait(r.WaitP99), r.ended(short(r.SojournP99)), short(r.RunMean),
			seconds(r.WorkerSeconds), count(r.PeakWorkers), count(r.Turns), jain))
	}
	t.SetColumnConfigs(output.NumericColumns(2, len(header)))
	return t
}

// outcomes returns the cells that count tasks.
func (f Figures) outcomes() table.Row {
	done := ""
	if f.Done != f.Tasks {
		done = output.English().Sprint(f.Done)
	}
	return table.Row{
		output.English().Sprint(f.Tasks), done, output.NonZero(f.Failed), output.NonZero(f.Shed), output.NonZero(f.Dropped),
		output.NonZero(f.Cancelled), output.NonZero(f.Unfinished), output.NonZero(f.Late),
	}
}

// wait formats a wait, which only tasks have that started.
func (f Figures) wait(seconds float64) string {
	if f.Started == 0 {
		return "-"
	}
	return short(seconds)
}

// ended returns a text about the tasks that ended, if there are any.
func (f Figures) ended(text string) string {
	if f.Done+f.Failed == 0 {
		return "-"
	}
	return text
}

// seconds formats a sum of lifetimes.
func seconds(s float64) string {
	if s < 1000 {
		return strconv.FormatFloat(s, 'f', 1, 64)
	}
	return output.English().Sprintf("%.0f", s)
}

// named is a key or a kind.
type named struct {
	name string
	Figures
}

// shown is how many keys or kinds a table shows.
const shown = 10

// groupTable has rows for each key or kind, one for each setting. It is empty if
// there is only one of them.
func (s Simulation) groupTable(what string, of func(Result) []named) string {
	names, rest := s.largest(of)
	if len(names)+len(rest) < 2 {
		return ""
	}
	t := output.NewTable(fmt.Sprintf("by %s", what))
	t.SuppressEmptyColumns()
	header := table.Row{
		what, "setting", "tasks", "done", "failed", "shed", "dropped", "cancelled", "unfinished", "late",
		"wait mean", "p50", "p99", "max", "sojourn p99", "slowdown p50", "p99",
	}
	t.AppendHeader(header)
	labels := s.Labels()
	if len(s.Settings) == 1 {
		labels[0] = "" // without a column
	}
	for n, name := range names {
		for i, r := range s.Settings {
			g := find(of(r), name)
			row := append(table.Row{nameOnce(name, i), labels[i]}, g.outcomes()...)
			t.AppendRow(append(row, g.wait(g.WaitMean), g.wait(g.WaitP50), g.wait(g.WaitP99), g.wait(g.WaitMax),
				g.ended(short(g.SojournP99)), g.ended(factor(g.SlowdownP50)), g.ended(factor(g.SlowdownP99))))
		}
		if len(s.Settings) > 1 && n < len(names)-1 {
			t.AppendSeparator()
		}
	}
	if len(rest) > 0 {
		t.AppendSeparator()
		for i, r := range s.Settings {
			g := others(of(r), names)
			name := ""
			if i == 0 {
				name = output.English().Sprintf("%d others", len(rest))
			}
			row := append(table.Row{name, labels[i]}, g.outcomes()...)
			t.AppendRow(append(row, g.wait(g.WaitMean), "", "", g.wait(g.WaitMax), "", "", ""))
		}
	}
	columns := append(output.NumericColumns(3, len(header)), table.ColumnConfig{Number: 1, WidthMax: 40})
	t.SetColumnConfigs(columns)
	return t.Render() + "\n"
}

// nameOnce returns the name of a key in the first of its rows.
func nameOnce(name string, row int) string {
	switch {
	case row > 0:
		return ""
	case name == "":
		return "(none)"
	default:
		return output.Printable(name)
	}
}

// largest returns the names of the groups with the most tasks, largest first, and
// of the others.
func (s Simulation) largest(of func(Result) []named) (first, rest []string) {
	tasks := make(map[string]int)
	var names []string
	for _, r := range s.Settings {
		for _, g := range of(r) {
			if _, known := tasks[g.name]; !known {
				names = append(names, g.name)
			}
			tasks[g.name] = max(tasks[g.name], g.Tasks)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(tasks[b], tasks[a]), cmp.Compare(a, b)) })
	n := shown
	if len(names) == n+1 { // a row for the last one takes no more room than "1 others"
		n++
	}
	n = min(n, len(names))
	return names[:n], names[n:]
}

// find returns the group with a name.
func find(all []named, name string) named {
	i := slices.IndexFunc(all, func(g named) bool { return g.name == name })
	if i < 0 {
		return named{name: name}
	}
	return all[i]
}

// others returns the sum of the groups without those that have one of the names.
func others(all []named, names []string) (sum Figures) {
	for _, g := range all {
		if slices.Contains(names, g.name) {
			continue
		}
		sum.Tasks += g.Tasks
		sum.Done += g.Done
		sum.Failed += g.Failed
		sum.Shed += g.Shed
		sum.Dropped += g.Dropped
		sum.Cancelled += g.Cancelled
		sum.Unfinished += g.Unfinished
		sum.Late += g.Late
		sum.WaitMean += g.WaitMean * float64(g.Started)
		sum.WaitMax = max(sum.WaitMax, g.WaitMax)
		sum.Started += g.Started
	}
	sum.WaitMean /= float64(max(1, sum.Started))
	return sum
}

// factor formats a ratio with three digits.
func factor(f float64) string {
	if f >= 1000 {
		return output.English().Sprintf("%.0f", f)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}
