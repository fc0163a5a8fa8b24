package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grafanaFile returns the absolute name of a file of the module adapters/grafana.
func grafanaFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "adapters", "grafana", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ourName matches the metrics and labels of package observe, as Prometheus names them.
var ourName = regexp.MustCompile(`\b(taskmanager_\w+|error_type)\b`)

// checkGrafana checks that the dashboard and the alert rules work with what Prometheus has scraped:
// it has each metric and label that they name, answers each query of the dashboard, and evaluates each rule.
func checkGrafana(t *testing.T, at string) {
	t.Helper()
	dashboard, err := os.ReadFile(grafanaFile(t, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(grafanaFile(t, "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	scraped := scrapedNames(t, at)
	for _, name := range ourName.FindAllString(string(dashboard)+string(rules), -1) {
		if !scraped[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if diff := cmp.Diff([]string(nil), slices.Compact(missing)); diff != "" {
		t.Errorf("names in the dashboard and the rules that the scrape lacks (-want +got):\n%s", diff)
	}
	checkQueries(t, at, dashboard)
	checkRules(t, at, strings.Count(string(rules), "- alert:"))
}

// scrapedNames returns the names of the metrics and labels that Prometheus has.
func scrapedNames(t *testing.T, at string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, path := range []string{"labels", "label/__name__/values"} {
		var answer struct{ Data []string }
		if err := get(t.Context(), "http://"+at+"/api/v1/"+path, &answer); err != nil {
			t.Fatal(err)
		}
		for _, name := range answer.Data {
			names[name] = true
		}
	}
	return names
}

// checkQueries checks that each query of the dashboard has a result. No task of the run is shed or dropped.
func checkQueries(t *testing.T, at string, dashboard []byte) {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(dashboard, &d); err != nil {
		t.Fatal(err)
	}
	all := strings.NewReplacer(`"$job"`, `".*"`, `"$instance"`, `".*"`, `"$pool"`, `".*"`, "$__rate_interval", "1m")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			query := all.Replace(target.Expr)
			poll(t, fmt.Sprintf("panel %q: %s", p.Title, query), func(ctx context.Context) error {
				got, err := ask(ctx, at, query)
				if err == nil && len(got) == 0 && !strings.Contains(query, "shed|dropped") {
					err = errors.New("there is no result")
				}
				return err
			})
		}
	}
}

// checkRules checks that Prometheus evaluates a number of rules.
func checkRules(t *testing.T, at string, want int) {
	t.Helper()
	poll(t, "the alert rules", func(ctx context.Context) error {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		if err := get(ctx, "http://"+at+"/api/v1/rules", &answer); err != nil {
			return err
		}
		evaluated := 0
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return fmt.Errorf("the rule %s is %s: %s", r.Name, r.Health, r.LastError)
				}
				evaluated++
			}
		}
		if evaluated != want {
			return fmt.Errorf("%d rules were evaluated, want %d", evaluated, want)
		}
		return nil
	})
}
