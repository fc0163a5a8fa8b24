package tuning

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
)

// Text returns the result for people.
func (r *Result) Text() string {
	var b strings.Builder
	r.writeProblem(&b)
	if r.choice() == nil {
		output.Say(&b, "\nInterrupted before any setting was tried.\n")
		return b.String()
	}
	output.Say(&b, "\n%s\n", r.frontTable())
	output.Say(&b, "\n%s\n", r.choiceTable())
	output.Say(&b, "\n%s\n", r.Verdict())
	output.Say(&b, "\n%s", policy.Start(r.choice().Policy.Code(r.Restarts)))
	return b.String()
}

// writeProblem writes what was searched for, and where.
func (r *Result) writeProblem(b *strings.Builder) {
	line := func(name, format string, args ...any) {
		output.Say(b, "%-12s %s\n", name, output.English().Sprintf(format, args...))
	}
	line("workload", "%s", r.Title)
	for i, o := range r.Objectives {
		line([]string{"objective", ""}[min(i, 1)], "%s", o)
	}
	for _, o := range r.Implied {
		line("", "%s (implied: no objective allows it)", o)
	}
	line("minimise", "%s", r.Minimise)
	if r.Margin > 0 {
		line("margin", "settings are chosen by bounds that are %s%% stricter", fmt.Sprintf("%.3g", 100*r.Margin))
	}
	for i, p := range r.Parts {
		line([]string{"first part", "second part"}[i], "%d jobs in %s that keep %s workers busy; %s", len(p.Jobs), span(p.Length),
			fmt.Sprintf("%.1f", p.Offered()), []string{"settings are chosen on it", "the choice is checked on it"}[i])
	}
	line("tried", "%d settings, %d simulated jobs, seed %d%s", len(r.Trials), r.Simulated, r.Seed,
		map[bool]string{true: " (interrupted)"}[r.Interrupted])
}

// span formats the length of a part.
func span(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return output.Short(d)
}

// frontTable is the table of the Pareto front.
func (r *Result) frontTable() string {
	first := r.Objectives[0].Quantity
	rows := r.front()
	if c := r.choice(); !c.Front { // violates another objective
		rows = append(rows, c)
	}
	title := fmt.Sprintf("Pareto front of %s and %s", r.Minimise, first)
	if len(rows) > mostRows {
		title += fmt.Sprintf(" (%d of %d settings; -json has all)", mostRows, len(rows))
	}
	t := output.NewTable(title)
	t.AppendHeader(table.Row{"", "queue", "scaler", "min", "max", "idle", r.Minimise.String(), "", first.String(), "", "meets all", ""})
	t.AppendHeader(table.Row{"", "", "", "", "", "", "first", "second", "first", "second", "first", "second"})
	for _, trial := range some(rows) {
		mark := ""
		if trial.Chosen {
			mark = "→"
		}
		p, o := trial.Policy, trial.Outcome
		row := table.Row{mark, p.Queue.Name, p.Scaler.Name, p.Min, p.Max, p.Common.IdleTimeout, r.Minimise.Format(o.Cost), "", first.Format(o.Quantity), "", met(&o), ""}
		if s := trial.Second; s != nil {
			row[7], row[9], row[11] = r.Minimise.Format(s.Cost), first.Format(s.Quantity), met(s)
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(output.NumericColumns(4, 10))
	return t.Render()
}

// mostRows is how many settings the table of the front has.
const mostRows = 12

// some returns at most mostRows trials, with the choice, at even distances.
func some(all []*Trial) []*Trial {
	if len(all) <= mostRows {
		return all
	}
	var few []*Trial
	for i := range mostRows {
		few = append(few, all[i*(len(all)-1)/(mostRows-1)])
	}
	chosen := slices.IndexFunc(all, func(t *Trial) bool { return t.Chosen })
	if !slices.Contains(few, all[chosen]) {
		few[(chosen*(mostRows-1)+(len(all)-1)/2)/(len(all)-1)] = all[chosen]
	}
	return few
}

// met says whether an outcome meets all objectives.
func met(o *Outcome) string {
	if o.Violation == 0 {
		return "yes"
	}
	return "no"
}

// choiceTable is the table of the choice on both parts.
func (r *Result) choiceTable() string {
	t := output.NewTable("The choice on both parts")
	t.AppendHeader(table.Row{"", "first", "second", "objective"})
	for _, q := range r.quantities() {
		row := table.Row{q.String(), "", "", ""}
		for i, report := range r.Reports {
			if report != nil {
				row[1+i] = q.Format(q.Of(*report))
			}
		}
		for _, o := range r.all() {
			if o.Quantity == q {
				row[3] = bound(o)
			}
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(output.NumericColumns(2, 3))
	return t.Render()
}

// Verdict says whether the choice meets the objectives.
func (r *Result) Verdict() string {
	c := r.choice()
	switch {
	case c.Jobs < len(r.Parts[0].Jobs):
		return output.English().Sprintf("Interrupted: the settings were tried on the first %d jobs only. The result is provisional.", c.Jobs)
	case !r.Met():
		return fmt.Sprintf("NO SETTING MEETS THE OBJECTIVES. Of %d settings that were tried, the nearest is\n%s: %s.",
			len(r.Trials), c.Policy, r.violations(0))
	case r.Reports[1] == nil:
		return "Interrupted: the choice meets all objectives on the first part; it was not evaluated on the second."
	case !r.MetSecond():
		return fmt.Sprintf("THE CHOICE DOES NOT HOLD ON THE SECOND PART: %s.\nIt meets all objectives on the first part only. "+
			"Choose a setting of the front with more reserve,\nor tune with a stricter objective.", r.violations(1))
	default:
		s := "The choice meets all objectives on both parts."
		if slices.ContainsFunc(r.Trials, func(t Trial) bool {
			return t.Jobs == c.Jobs && t.Outcome.Violation == 0 && t.Outcome.Cost < c.Outcome.Cost
		}) {
			s += " Cheaper settings that meet them too\nhave less reserve than the margin."
		}
		return s
	}
}

// violations lists the objectives that the choice violates on a part.
func (r *Result) violations(part int) string {
	if r.Reports[part] == nil {
		return "interrupted before it was evaluated"
	}
	var all []string
	for _, o := range r.all() {
		if v := o.Violation(*r.Reports[part]); v > 0 {
			all = append(all, fmt.Sprintf("%s is %s instead of %s", o.Quantity, o.Quantity.Format(o.Quantity.Of(*r.Reports[part])), bound(o)))
		}
	}
	return strings.Join(all, ", ")
}

// bound returns the comparison and the bound of an objective.
func bound(o objective.Objective) string {
	return strings.TrimSpace(strings.TrimPrefix(o.String(), o.Quantity.String()))
}
