package tuning

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
)

// axis maps the values of a quantity to places from 0 to 1.
type axis struct {
	quantity objective.Quantity
	log      bool
	from, to float64
	zero     bool // values below the axis are at its beginning
}

// newAxis returns an axis that shows values, and some room around them. It is logarithmic if the
// values are durations, or differ much and none of them is 0.
func newAxis(q objective.Quantity, values []float64) axis {
	least, most := slices.Min(values), slices.Max(values)
	a := axis{quantity: q, log: q.Unit() == objective.Duration || least > 0 && most > 8*least}
	if !a.log {
		room := max(most-least, most*0.1, 1e-9) * 0.1
		a.from, a.to = max(least-room, 0), most+room
		return a
	}
	const shortest = float64(100 * time.Microsecond) // a logarithmic axis has no 0
	if q.Unit() == objective.Duration && least < shortest {
		a.zero = true
		least, most = shortest, max(most, 2*shortest)
	}
	room := math.Pow(max(most/least, 1.5), 0.08)
	a.from, a.to = least/room, most*room
	return a
}

// place returns the place of a value. Values outside are at the ends.
func (a axis) place(v float64) float64 {
	from, to := a.from, a.to
	v = min(max(v, from), to)
	if a.log {
		from, to, v = math.Log(from), math.Log(to), math.Log(v)
	}
	return (v - from) / (to - from)
}

// ticks returns the labelled values on the axis.
func (a axis) ticks() (ticks []plot.Tick) {
	add := func(v float64) {
		if v >= a.from && v <= a.to {
			ticks = append(ticks, plot.Tick{Value: v, Label: a.quantity.Format(v)})
		}
	}
	if !a.log {
		step := math.Pow(10, math.Floor(math.Log10(a.to-a.from)))
		for _, part := range []float64{5, 2} {
			if (a.to-a.from)/step < 4 {
				step = step / 10 * part
			}
		}
		for i := range 20 {
			add((math.Ceil(a.from/step) + float64(i)) * step)
		}
		return ticks
	}
	if a.zero {
		ticks = append(ticks, plot.Tick{Value: a.from, Label: "0s"})
	}
	steps := []float64{1}
	switch decades := math.Log10(a.to / a.from); {
	case decades < 1:
		steps = []float64{1, 1.5, 2, 3, 4, 5, 6, 8}
	case decades < 3:
		steps = []float64{1, 2, 5}
	}
	for decade := math.Pow(10, math.Floor(math.Log10(a.from))); decade <= a.to; decade *= 10 {
		for _, s := range steps {
			add(s * decade)
		}
	}
	return ticks
}
