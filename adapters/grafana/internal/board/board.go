// Package board builds the Grafana dashboard of the module.
package board

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// source is the data source that the user selects.
var source = common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}

// JSON returns the dashboard as Grafana imports it.
func JSON() ([]byte, error) {
	//nolint:staticcheck // The SDK prefers schema 2, which Grafana 11 and older ones cannot import.
	b := dashboard.NewDashboardBuilder("Task managers").
		Uid("taskmanager").
		Description("Worker pools, queues and tasks of the managers of package taskmanager.").
		Tags([]string{"taskmanager"}).
		Timezone(common.TimeZoneBrowser).
		Refresh("30s").
		Time("now-1h", "now").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range variables {
		b.WithVariable(v.build())
	}
	for _, r := range rows {
		b.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			b.WithPanel(p.build())
		}
	}
	d, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	// Links to a panel contain its number, so each panel needs one.
	for i, p := range d.Panels {
		id := new(uint32(i + 1))
		if p.Panel != nil {
			p.Panel.Id = id
		} else {
			p.RowPanel.Id = *id
		}
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	return append(text, '\n'), nil
}

// variable is a list of values of a label, of which the user selects any number.
type variable struct{ name, label, description, query string }

// Each list depends on the selections before it.
var variables = []variable{
	{"job", "Job", "The services to show", `label_values(taskmanager_pool_worker_max, job)`},
	{"instance", "Instance", "The processes to show", `label_values(taskmanager_pool_worker_max{job=~"$job"}, instance)`},
	{
		"pool", "Pool", "The managers to show, by the name that WithName gives them",
		`label_values(taskmanager_pool_worker_max{job=~"$job", instance=~"$instance"}, taskmanager_pool_name)`,
	},
}

func (v variable) build() *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(v.name).
		Label(v.label).
		Description(v.description).
		Datasource(source).
		Query(dashboard.StringOrMap{String: &v.query}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).
		IncludeAll(true).
		AllValue(".*"). // also matches series without the label, such as those of a manager without a name
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}
