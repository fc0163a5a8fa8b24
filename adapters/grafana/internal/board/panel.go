package board

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// The sizes of panels. The grid of a dashboard has 24 columns.
const (
	chartWidth, chartHeight = 12, 9
	tileWidth, tileHeight   = 4, 4
)

// row is a row of panels with a title.
type row struct {
	title  string
	panels []panel
}

// panel becomes a panel of the dashboard.
type panel interface {
	build() cog.Builder[dashboard.Panel]
}

// query is an expression of Prometheus.
type query struct {
	expr, legend string
	exemplars    bool // shows exemplars, which lead to traces
}

// build makes the query with an index of a panel. Grafana tells the answers of a panel apart by the letter.
func (q query) build(index int) *prometheus.DataqueryBuilder {
	b := prometheus.NewDataqueryBuilder().
		RefId(string(rune('A' + index))).
		Datasource(source).
		Range().
		Expr(q.expr).
		LegendFormat(q.legend)
	if q.exemplars {
		b.Exemplar(true)
	}
	return b
}

// chart is a panel with lines over time.
type chart struct {
	title, description string
	unit, axis         string
	stacked            bool
	queries            []query
	dashed             string // a regular expression of the legends whose lines are dashed
}

func (c chart) build() cog.Builder[dashboard.Panel] {
	b := timeseries.NewPanelBuilder().
		Title(c.title).
		Description(c.description).
		Datasource(source).
		Span(chartWidth).Height(chartHeight).
		Unit(c.unit).
		Min(0).
		AxisLabel(c.axis).
		LineWidth(1).
		ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().
			ShowLegend(true).
			DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).
			Calcs([]string{"lastNotNull", "max"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
	if c.stacked {
		b.FillOpacity(25).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	if c.dashed != "" {
		b.OverrideByRegexp(c.dashed, []dashboard.DynamicConfigValue{{
			Id:    "custom.lineStyle",
			Value: common.LineStyle{Fill: cog.ToPtr(common.LineStyleFillDash), Dash: []float64{8, 6}},
		}})
	}
	for i, q := range c.queries {
		b.WithTarget(q.build(i))
	}
	return b
}

// tile is a panel with the present value.
type tile struct {
	title, description string
	unit               string
	query              query
	warn, alarm        float64 // the values from which the tile is orange and red; 0: never
}

func (t tile) build() cog.Builder[dashboard.Panel] {
	steps := []dashboard.Threshold{{Color: "green"}}
	if t.alarm > 0 {
		steps = append(steps, dashboard.Threshold{Color: "orange", Value: &t.warn}, dashboard.Threshold{Color: "red", Value: &t.alarm})
	}
	return stat.NewPanelBuilder().
		Title(t.title).
		Description(t.description).
		Datasource(source).
		Span(tileWidth).Height(tileHeight).
		Unit(t.unit).
		Min(0).
		NoValue("no data").
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)).
		GraphMode(common.BigValueGraphModeArea).
		ColorMode(common.BigValueColorModeValue).
		TextMode(common.BigValueTextModeAuto).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		WithTarget(t.query.build(0))
}
