package source

import (
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

// NewArrivals makes a process of arrivals at a rate per second, over a duration.
type NewArrivals func(rate float64, d time.Duration) load.Arrivals

// Shapes are the ways in which the tasks of a synthetic load arrive.
var Shapes = flagvalue.Menu[NewArrivals]{
	Title: "With -shape NAME, the tasks of a synthetic load arrive",
	Entries: []flagvalue.Entry[NewArrivals]{
		{
			Name:    "step",
			Meaning: "evenly: at -rate/10 for a fifth of the time, at -rate for two fifths, and at -rate/10 again",
			Make:    flagvalue.Always[NewArrivals](func(rate float64, _ time.Duration) load.Arrivals { return load.Step{Rate: rate} }),
		},
		{
			Name:    "steady",
			Meaning: "evenly at -rate",
			Make:    flagvalue.Always[NewArrivals](func(rate float64, _ time.Duration) load.Arrivals { return load.Steady{Rate: rate} }),
		},
		{
			Name:    "poisson",
			Meaning: "at random, at -rate on average (a Poisson process)",
			Make:    flagvalue.Always[NewArrivals](func(rate float64, _ time.Duration) load.Arrivals { return load.Poisson{Rate: rate} }),
		},
		{
			Name:    "burst",
			Meaning: "all tasks of a second at once, when the second begins",
			Make:    flagvalue.Always[NewArrivals](func(rate float64, _ time.Duration) load.Arrivals { return load.Burst{Rate: rate} }),
		},
		{
			Name:    "diurnal",
			Meaning: "at random, at a rate that rises and falls around -rate like a sine, as in the course of a day",
			Parameters: []flagvalue.Parameter{
				{Name: "swing", Kind: flagvalue.Percent, Default: 80, Least: 0, Most: 100, Meaning: "how far from -rate"},
				{Name: "period", Kind: flagvalue.Duration, Absent: "-duration", Least: float64(time.Millisecond), Most: float64(10_000 * time.Hour), Meaning: "the length of a day"},
			},
			Make: func(v flagvalue.Values) NewArrivals {
				return func(rate float64, d time.Duration) load.Arrivals {
					if period := v.Duration(1); period > 0 {
						d = period
					}
					return load.Diurnal{Rate: rate, Swing: v.Fraction(0), Period: d}
				}
			},
		},
		{
			Name:    "onoff",
			Meaning: "in bursts of all lengths, from sources that are on and off for times with heavy tails",
			Parameters: []flagvalue.Parameter{
				{Name: "sources", Kind: flagvalue.Count, Default: 16, Least: 1, Most: 1 << 16, Meaning: "how many"},
				{Name: "on", Kind: flagvalue.Duration, Default: float64(time.Second), Least: float64(time.Millisecond), Most: float64(24 * time.Hour), Meaning: "the mean time for which one is on"},
				{Name: "off", Kind: flagvalue.Duration, Default: float64(4 * time.Second), Least: float64(time.Millisecond), Most: float64(24 * time.Hour), Meaning: "the mean time for which one is off"},
				{Name: "alpha", Kind: flagvalue.Number, Default: 1.5, Least: 1.01, Most: 1.99, Meaning: "the index of the tails; the less, the heavier"},
			},
			Make: func(v flagvalue.Values) NewArrivals {
				return func(rate float64, _ time.Duration) load.Arrivals {
					return load.OnOff{Rate: rate, Sources: v.Count(0), On: v.Duration(1), Off: v.Duration(2), Alpha: v.Number(3)}
				}
			},
		},
	},
}

// NewService makes a distribution of service times with a mean.
type NewService func(mean time.Duration) load.Service

// Distributions are those of the times that the tasks of a synthetic load take.
var Distributions = flagvalue.Menu[NewService]{
	Title: "With -distribution NAME, the times that the tasks of a synthetic load take are",
	Entries: []flagvalue.Entry[NewService]{
		{
			Name:    "exponential",
			Meaning: "distributed exponentially",
			Make:    flagvalue.Always[NewService](func(mean time.Duration) load.Service { return load.Exponential{Mean: mean} }),
		},
		{
			Name:    "constant",
			Meaning: "all equal",
			Make:    flagvalue.Always[NewService](func(mean time.Duration) load.Service { return load.Constant{Mean: mean} }),
		},
		{
			Name:    "lognormal",
			Meaning: "distributed lognormally",
			Parameters: []flagvalue.Parameter{
				{Name: "cv2", Kind: flagvalue.Number, Default: 4, Least: 0, Most: 10_000, Meaning: "the variance divided by the squared mean"},
			},
			Make: func(v flagvalue.Values) NewService {
				return func(mean time.Duration) load.Service { return load.Lognormal{Mean: mean, CV2: v.Number(0)} }
			},
		},
		{
			Name:    "pareto",
			Meaning: "heavy-tailed: a bounded Pareto distribution, whose largest value is 10,000 times the smallest",
			Parameters: []flagvalue.Parameter{
				{Name: "alpha", Kind: flagvalue.Number, Default: 1.1, Least: 0.1, Most: 10, Meaning: "the index of the tail; the less, the heavier"},
			},
			Make: func(v flagvalue.Values) NewService {
				return func(mean time.Duration) load.Service { return load.Pareto{Alpha: v.Number(0), Mean: mean} }
			},
		},
	},
}
