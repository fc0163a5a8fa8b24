package workload

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
)

// Shape returns the arrival times of a synthetic workload in order: over the
// duration d, at a rate per second.
type Shape func(rate float64, d time.Duration, r *rand.Rand) []time.Duration

// Shapes are the shapes of synthetic workloads.
var Shapes = flagvalue.Menu[Shape]{
	Title: "With -shape NAME, the tasks of a synthetic workload arrive",
	Entries: []flagvalue.Entry[Shape]{
		{
			Name:    "step",
			Meaning: "evenly: at -rate/10 for a fifth of the time, at -rate for two fifths, and at -rate/10 again",
			Make:    flagvalue.Always[Shape](inStep),
		},
		{
			Name:    "steady",
			Meaning: "evenly at -rate",
			Make:    flagvalue.Always[Shape](func(rate float64, d time.Duration, _ *rand.Rand) []time.Duration { return evenly(nil, rate, 0, d) }),
		},
		{
			Name:    "poisson",
			Meaning: "at random, at -rate on average (a Poisson process)",
			Make:    flagvalue.Always[Shape](atRandom),
		},
		{
			Name:    "burst",
			Meaning: "all tasks of a second at once, when the second begins",
			Make:    flagvalue.Always[Shape](inBursts),
		},
	},
}

// evenly appends times at a rate, from first up to but excluding last.
func evenly(times []time.Duration, rate float64, first, last time.Duration) []time.Duration {
	for i := 0; ; i++ {
		at := float64(i) / rate
		if at >= (last - first).Seconds() {
			return times
		}
		times = append(times, first+time.Duration(math.Round(at*float64(time.Second))))
	}
}

func inStep(rate float64, d time.Duration, _ *rand.Rand) []time.Duration {
	up, down := d/5, d/5*3
	times := evenly(nil, rate/10, 0, up)
	times = evenly(times, rate, up, down)
	return evenly(times, rate/10, down, d)
}

func inBursts(rate float64, d time.Duration, _ *rand.Rand) []time.Duration {
	times := evenly(nil, rate, 0, d)
	for i := range times {
		times[i] = times[i].Truncate(time.Second)
	}
	return times
}

func atRandom(rate float64, d time.Duration, r *rand.Rand) (times []time.Duration) {
	for at := 0.0; ; {
		at += r.ExpFloat64() / rate
		if at >= d.Seconds() {
			return times
		}
		times = append(times, time.Duration(at*float64(time.Second)))
	}
}
