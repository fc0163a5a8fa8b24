package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/perf/benchmath"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/duel"
)

// report is the result of a comparison.
type report struct {
	Old, New string // the versions
	Results  []duel.Result
	oldHash  string
}

// versions describes what is compared.
func (r repository) versions(ctx context.Context, rev string) (rep report, err error) {
	hash, title, err := r.commit(ctx, rev)
	if err != nil {
		return rep, err
	}
	head, headTitle, err := r.commit(ctx, "HEAD")
	if err != nil {
		return rep, err
	}
	changed, err := r.changed(ctx)
	if err != nil {
		return rep, err
	}
	rep.oldHash = hash
	rep.Old = fmt.Sprintf("%.10s %s", hash, title)
	rep.New = fmt.Sprintf("%.10s %s", head, headTitle)
	if changed {
		rep.New = fmt.Sprintf("the working tree, which differs from %.10s %s", head, headTitle)
	}
	return rep, nil
}

// summary compares the values of both sides.
type summary struct {
	Old, New  float64 // medians
	Ratio     float64 // median of the ratios of new to old in each round
	Low, High float64 // 95 % confidence interval of the ratio; infinite if there are too few rounds
	Q1, Q3    float64 // quartiles of the ratios
}

// summarise compares the values of a figure. There must be some.
func summarise(f duel.Figure) summary {
	ratios := make([]float64, len(f.Old))
	for i := range ratios {
		switch {
		case f.Old[i] == f.New[i]: // both may be 0
			ratios[i] = 1
		default:
			ratios[i] = f.New[i] / f.Old[i]
		}
	}
	interval := benchmath.AssumeNothing.Summary(benchmath.NewSample(ratios, &benchmath.DefaultThresholds), 0.95)
	slices.Sort(ratios)
	n := len(ratios)
	return summary{
		Old: median(f.Old), New: median(f.New), Ratio: interval.Center, Low: interval.Lo, High: interval.Hi,
		Q1: ratios[n/4], Q3: ratios[n-1-n/4],
	}
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// verdict says whether new is less than old, if the confidence interval tells.
func (s summary) verdict() string {
	switch {
	case s.High < 1:
		return fmt.Sprintf("%.1f %% less", 100*(1-s.Ratio))
	case s.Low > 1:
		return fmt.Sprintf("%.1f %% more", 100*(s.Ratio-1))
	default:
		return "~"
	}
}

// write writes a table.
func (rep report) write(out io.Writer) {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // not in capitals
	t.SetStyle(style)
	t.SetOutputMirror(out)
	t.AppendHeader(table.Row{"workload", "figure", "old", "new", "unit", "new/old", "95 % interval", "new takes", "processors"})
	for _, r := range rep.Results {
		for i, f := range r.Figures {
			s := summarise(f)
			name, state := r.Workload, r.State()
			if i > 0 {
				name, state = "", ""
			}
			interval := fmt.Sprintf("%.3f – %.3f", s.Low, s.High)
			if math.IsInf(s.Low, 0) || math.IsInf(s.High, 0) {
				interval = "too few rounds"
			}
			t.AppendRow(table.Row{name, f.Name, number(s.Old), number(s.New), f.Unit, fmt.Sprintf("%.3f", s.Ratio), interval, s.verdict(), state})
		}
		t.AppendSeparator()
	}
	t.Render()
}

// number formats a number with three digits or more.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// writeJSON writes all values.
func (rep report) writeJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	return encoder.Encode(rep)
}
