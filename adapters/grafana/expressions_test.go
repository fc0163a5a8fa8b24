package grafana_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/seed56799101/taskmanager/observe"
)

// expression is an expression of the dashboard or of the rules, with the text that shows its labels.
type expression struct {
	at, text, shown string
}

// expressions lists all expressions.
func expressions(t *testing.T) []expression {
	t.Helper()
	var list []expression
	panels, _ := readDashboard(t)
	for _, p := range panels {
		for _, q := range p.Targets {
			// Grafana replaces its variables before Prometheus sees the expression.
			text := strings.ReplaceAll(q.Expr, "$__rate_interval", "5m")
			list = append(list, expression{fmt.Sprintf("panel %q, query %s", p.Title, q.RefID), text, q.LegendFormat})
		}
	}
	for _, a := range readAlerts(t) {
		list = append(list, expression{"alert " + a.Alert, a.Expr, a.Annotations["summary"] + a.Annotations["description"]})
	}
	return list
}

// documented has the documented values of labels. Other labels can have any value.
var documented = map[string][]string{
	"taskmanager_task_outcome": {
		string(observe.Success), string(observe.Failure), string(observe.Cancelled), string(observe.Postponed), string(observe.Stopped),
		string(observe.TimedOut), string(observe.Dropped), string(observe.Shed), string(observe.HandedOver),
	},
	"taskmanager_worker_state":      {"busy", "idle", "lent"},
	"taskmanager_submission_result": {"accepted", "refused"},
	"taskmanager_scaler_direction":  {"up", "down"},
}

// Expressions use only metrics that a manager emits, and only their labels. Each metric is used.
func TestNames(t *testing.T) {
	metrics := emitted(t)
	used := map[string]bool{}
	for _, e := range expressions(t) {
		for _, fault := range e.faults(metrics, used) {
			t.Errorf("%s: %s\n%s", e.at, fault, e.text)
		}
	}
	for name := range metrics {
		if !strings.HasPrefix(name, "taskmanager_") {
			continue
		}
		histogram := histogramPart.ReplaceAllString(name, "")
		if !used[name] && !used[histogram+"_bucket"] && !used[histogram+"_count"] {
			t.Errorf("neither the dashboard nor an alert uses the metric %s", name)
		}
	}
}

var histogramPart = regexp.MustCompile(`_(bucket|sum|count)$`)

// faults reports what is wrong with an expression, and adds its metrics to a set.
func (e expression) faults(metrics map[string]labels, used map[string]bool) []string {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(e.text)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	available := labels{} // of all metrics of the expression
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			if metrics[s.Name] == nil {
				faults = append(faults, fmt.Sprintf("no manager emits the metric %q", s.Name))
			}
			used[s.Name] = true
			maps.Copy(available, metrics[s.Name])
			faults = append(faults, matcherFaults(s, metrics[s.Name])...)
		}
		return nil
	})
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !available[l] {
					faults = append(faults, fmt.Sprintf("no metric of the expression has the label %q of the grouping", l))
				}
			}
		}
		return nil
	})
	kept := remaining(tree, metrics)
	for _, l := range shownLabels(e.shown) {
		if !kept[l] {
			faults = append(faults, fmt.Sprintf("the text shows the label %q, which the result has not: %s", l, e.shown))
		}
	}
	return faults
}

// matcherFaults reports matchers of labels that the metric has not, and of values that are not documented.
func matcherFaults(s *parser.VectorSelector, has labels) []string {
	var faults []string
	for _, m := range s.LabelMatchers {
		if m.Name == "__name__" { // the metric itself
			continue
		}
		if !has[m.Name] {
			faults = append(faults, fmt.Sprintf("the metric %s has no label %q", s.Name, m.Name))
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if allowed, limited := documented[m.Name]; limited && !slices.Contains(allowed, value) {
				faults = append(faults, fmt.Sprintf("%q is no value of %s", value, m.Name))
			}
		}
	}
	return faults
}

// remaining returns the labels of the result of an expression.
func remaining(n parser.Node, metrics map[string]labels) labels {
	switch n := n.(type) {
	case *parser.VectorSelector:
		return maps.Clone(metrics[n.Name])
	case *parser.AggregateExpr:
		kept := labels{}
		for l := range remaining(n.Expr, metrics) {
			if slices.Contains(n.Grouping, l) != n.Without {
				kept[l] = true
			}
		}
		return kept
	case *parser.BinaryExpr:
		if n.LHS.Type() == parser.ValueTypeScalar {
			return remaining(n.RHS, metrics)
		}
		return remaining(n.LHS, metrics)
	}
	kept := labels{}
	for child := range parser.ChildrenIter(n) {
		maps.Copy(kept, remaining(child, metrics))
	}
	if call, ok := n.(*parser.Call); ok && call.Func.Name == "histogram_quantile" {
		delete(kept, "le")
	}
	return kept
}

var shown = regexp.MustCompile(`\{\{(?:[^}]*\$labels\.)?\s*(\w+)[^}]*\}\}`)

// shownLabels returns the labels in a legend of Grafana or an annotation of Prometheus.
func shownLabels(text string) []string {
	var list []string
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[0], "$value") {
			list = append(list, m[1])
		}
	}
	return list
}
