package main

import (
	"fmt"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/duel"
)

// summary compares the values of both sides.
type summary struct {
	Old, New  float64 // medians
	Ratio     float64 // median of the ratios of new to old in each round
	Low, High float64 // 95 % confidence interval of Ratio, or the extremes of the ratios
	Few       bool    // there are too few rounds for a confidence interval
	Q1, Q3    float64 // quartiles of the ratios

	Channel, OldToChannel, NewToChannel float64 `json:",omitzero"` // medians
}

// summarise compares the values of a figure. There must be some.
func summarise(f duel.Figure) summary {
	const least = 6 // rounds for a confidence interval of 95 %
	r := duel.Ratios(f.New, f.Old)
	interval := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(r), &benchmath.DefaultThresholds), 0.95)
	slices.Sort(r)
	n := len(r)
	s := summary{
		Old: median(f.Old), New: median(f.New), Ratio: median(r),
		Low: interval.Lo, High: interval.Hi, Q1: r[n/4], Q3: r[n-1-n/4],
	}
	if n < least {
		s.Low, s.High, s.Few = r[0], r[n-1], true
	}
	if f.Channel != nil {
		s.Channel = median(f.Channel)
		s.OldToChannel, s.NewToChannel = median(duel.Ratios(f.Old, f.Channel)), median(duel.Ratios(f.New, f.Channel))
	}
	return s
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// nothing reports whether both medians are 0 except for what the program allocates beside the
// tasks.
func (s summary) nothing() bool { return s.Old < 0.01 && s.New < 0.01 }

// verdict says by how much new is less or more than old, if the confidence interval tells.
func (s summary) verdict() string {
	switch {
	case s.Few || s.nothing() || 0.9995 < s.Ratio && s.Ratio < 1.0005: // 0.0 %
		return "~"
	case s.High < 1:
		return fmt.Sprintf("%.1f %% less", 100*(1-s.Ratio))
	case s.Low > 1:
		return fmt.Sprintf("%.1f %% more", 100*(s.Ratio-1))
	default:
		return "~"
	}
}
