package grafana_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/grafana"
	"github.com/seed56799101/taskmanager/adapters/grafana/internal/board"
)

// panel has the properties of a panel that the tests look at.
type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ UID string }
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                struct{ UID string }
	}
}

// variable is a template variable of the dashboard.
type variable struct{ Name, Type, Query, AllValue string }

// readDashboard parses the dashboard.
func readDashboard(t *testing.T) (panels []panel, variables []variable) {
	t.Helper()
	var d struct {
		Panels     []panel
		Templating struct{ List []variable }
	}
	if err := json.Unmarshal([]byte(grafana.Dashboard()), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d.Panels, d.Templating.List
}

func TestDashboardIsGenerated(t *testing.T) {
	want, err := board.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), grafana.Dashboard()); diff != "" {
		t.Errorf("dashboard.json differs from what the generator writes; run go generate (-generator +file):\n%s", diff)
	}
}

func TestVariables(t *testing.T) {
	_, got := readDashboard(t)
	want := []variable{
		{"datasource", "datasource", "prometheus", ""},
		{"job", "query", `label_values(taskmanager_pool_worker_max, job)`, ".*"},
		{"instance", "query", `label_values(taskmanager_pool_worker_max{job=~"$job"}, instance)`, ".*"},
		{"pool", "query", `label_values(taskmanager_pool_worker_max{job=~"$job", instance=~"$instance"}, taskmanager_pool_name)`, ".*"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

// Each panel tells what it shows, in which unit, and from the selected data source.
func TestPanels(t *testing.T) {
	const selected = "${datasource}"
	panels, _ := readDashboard(t)
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, p := range panels {
		if ids[p.ID] || titles[p.Title] || p.Title == "" {
			t.Errorf("the panel %q with the number %d has no title of its own, or no number of its own", p.Title, p.ID)
		}
		ids[p.ID], titles[p.Title] = true, true
		if p.Type == "row" {
			continue
		}
		if !strings.HasSuffix(p.Description, ".") {
			t.Errorf("the panel %q has no description in sentences: %q", p.Title, p.Description)
		}
		if p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("the panel %q has no unit", p.Title)
		}
		if p.Datasource.UID != selected {
			t.Errorf("the panel %q has the data source %q, want the selected one", p.Title, p.Datasource.UID)
		}
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q has no query", p.Title)
		}
		letters := map[string]bool{"": true}
		for _, q := range p.Targets {
			if letters[q.RefID] || q.Datasource.UID != selected || q.LegendFormat == "" {
				t.Errorf("the panel %q has a query without a letter of its own, the selected data source or a legend: %+v", p.Title, q)
			}
			letters[q.RefID] = true
		}
	}
}

// No panel covers another one or exceeds the 24 columns of the grid.
func TestGrid(t *testing.T) {
	panels, _ := readDashboard(t)
	owner := map[[2]int]string{}
	for _, p := range panels {
		at := p.GridPos
		if at.W <= 0 || at.H <= 0 || at.X+at.W > 24 {
			t.Errorf("the panel %q is at %+v, outside of the grid", p.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other, taken := owner[[2]int{x, y}]; taken {
					t.Fatalf("the panels %q and %q overlap", other, p.Title)
				}
				owner[[2]int{x, y}] = p.Title
			}
		}
	}
}
