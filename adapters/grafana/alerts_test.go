package grafana_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/seed56799101/taskmanager/adapters/grafana"
)

// alert is an alert rule.
type alert struct {
	Alert, Expr string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// readAlerts parses the alert rules.
func readAlerts(t *testing.T) []alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(grafana.Rules()), &file); err != nil {
		t.Fatal(err)
	}
	var list []alert
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	if len(list) == 0 {
		t.Fatal("there are no alerts")
	}
	return list
}

// Each alert says how long its condition must hold, how severe it is, what happens and what to do.
func TestAlertsAreComplete(t *testing.T) {
	for _, a := range readAlerts(t) {
		if _, err := time.ParseDuration(a.For); err != nil {
			t.Errorf("%s: for: %v", a.Alert, err)
		}
		if a.Labels["severity"] == "" || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s needs a severity, a summary and a description: %+v", a.Alert, a)
		}
	}
}

// Each alert has a test in which it fires, one in which it does not, and a series that does not raise it.
func TestAlertsHaveTests(t *testing.T) {
	content, err := os.ReadFile("rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Series []struct{ Series string } `yaml:"input_series"`
			Cases  []struct {
				Name   string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	type coverage struct{ Fires, Silent, OtherSeries bool }
	got, want := map[string]coverage{}, map[string]coverage{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			covered := got[c.Name]
			covered.Fires = covered.Fires || len(c.Alerts) > 0
			covered.Silent = covered.Silent || len(c.Alerts) == 0
			covered.OtherSeries = covered.OtherSeries || len(c.Alerts) > 0 && len(test.Series) > len(c.Alerts)
			got[c.Name] = covered
		}
	}
	for _, a := range readAlerts(t) {
		want[a.Alert] = coverage{true, true, true}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests in rules_test.yml (-want +got):\n%s", diff)
	}
}

// The table of thresholds in the README has a row for each alert.
func TestReadmeListsAlerts(t *testing.T) {
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(content), -1) {
		got = append(got, m[1])
	}
	for _, a := range readAlerts(t) {
		want = append(want, a.Alert)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows of the table of thresholds (-rules +README):\n%s", diff)
	}
}
