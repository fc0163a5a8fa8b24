// Package objective has what a user wants of a setting, such as
//
//	p99 wait <= 200ms
//	p95 sojourn of tenant-a <= 1s
//	late <= 1%
//
// An objective compares a quantity, which a replay measures, with a bound:
//
//	objective  = quantity ( "<=" | ">=" ) bound
//	quantity   = ( statistic distribution | count | whole ) [ "of" [ "key" ] key ]
//	statistic  = "mean" | "max" | "p50" | "p95" | "p99" | "p" number
//	distribution = "wait" | "sojourn" | "run" | "slowdown"
//	count      = "shed" | "dropped" | "failed" | "late"
//	whole      = "jain" | "worker-seconds" | "peak workers" | "turns"
//	bound      = duration | number | number "%"
//
// The bound of a wait, a sojourn and a run is a duration, that of a count a number of jobs or a
// percentage of them, and that of the others a number. A key that is not one word, or that contains
// a comparison, is in double quotes, as in Go.
//
// All functions are safe for concurrent use, and the types are values.
package objective

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Objective is a bound on a quantity.
type Objective struct {
	Quantity Quantity
	AtLeast  bool    // the bound is the least value allowed; otherwise it is the largest
	Bound    float64 // in the unit of the quantity
}

// String returns the objective in the form that [Parse] reads.
func (o Objective) String() string { return o.Quantity.String() + " " + o.operator() + " " + o.bound() }

func (o Objective) operator() string {
	if o.AtLeast {
		return ">="
	}
	return "<="
}

// bound returns the bound with all its digits.
func (o Objective) bound() string {
	plain := strconv.FormatFloat(o.Bound, 'f', -1, 64)
	switch o.Quantity.Unit() {
	case Duration:
		return time.Duration(o.Bound).String()
	case Percent:
		return plain + "%"
	default:
		return plain
	}
}

// Violation returns by how much a report violates the objective, relative to the bound: 0 if it
// is met, and 0.5 for a wait of 300ms that should be 200ms at most. If the bound is 0, the
// violation is the value itself: seconds, jobs or percent.
func (o Objective) Violation(r simulate.Report) float64 {
	v, bound := o.Quantity.Of(r), o.Bound
	excess := v - bound
	if o.AtLeast {
		excess = -excess
	}
	switch {
	case excess <= 0:
		return 0
	case bound > 0:
		return excess / bound
	case o.Quantity.Unit() == Duration:
		return excess / float64(time.Second)
	default:
		return excess
	}
}

// Stricter returns the objective with a bound that leaves a reserve: it is smaller by a share of
// it. The bound of an objective with >= is larger, and if the quantity has a largest value, the
// bound moves towards that by the share of the difference.
func (o Objective) Stricter(share float64) Objective {
	switch most := o.Quantity.most(); {
	case !o.AtLeast:
		o.Bound -= share * o.Bound
	case most > 0:
		o.Bound += share * (most - o.Bound)
	default:
		o.Bound += share * o.Bound
	}
	return o
}

// Violation returns the largest violation of several objectives, or 0 if all are met.
func Violation(objectives []Objective, r simulate.Report) float64 {
	largest := 0.0
	for _, o := range objectives {
		largest = max(largest, o.Violation(r))
	}
	return largest
}

// WithoutLosses returns objectives that also forbid what the user's objectives do not mention:
// shed and dropped jobs. Otherwise a setting would meet a bound on waits by giving up the
// jobs that would wait.
func WithoutLosses(objectives []Objective) (all, implied []Objective) {
	for _, name := range []string{"shed", "dropped"} {
		mentioned := false
		for _, o := range objectives {
			mentioned = mentioned || o.Quantity.Measure == name && !o.AtLeast
		}
		if !mentioned {
			implied = append(implied, Objective{Quantity: Quantity{Measure: name}})
		}
	}
	return append(slices.Clip(objectives), implied...), implied
}

// Check returns an error if no report can meet all objectives, or if one of them is given twice.
func Check(objectives []Objective) error {
	for i, b := range objectives {
		for _, a := range objectives[:i] {
			switch {
			case a.Quantity == b.Quantity && a.AtLeast == b.AtLeast:
				return fmt.Errorf("%q and %q bound the same quantity; leave one of them out", a, b)
			case contradict(a, b), contradict(b, a):
				return fmt.Errorf("%q contradicts %q: no setting can meet both", b, a)
			}
		}
	}
	return nil
}

// contradict reports whether a says that a quantity is at most a value, and b that it, or one that is
// never larger, is at least a larger value.
func contradict(a, b Objective) bool {
	if a.AtLeast || !b.AtLeast || b.Bound <= a.Bound {
		return false
	}
	small, large := b.Quantity, a.Quantity
	smallest, largest := small.Statistic, large.Statistic
	small.Statistic, large.Statistic = Statistic{}, Statistic{}
	if small != large {
		return false
	}
	return smallest == largest || largest.Percentile == 100 ||
		!smallest.Mean && !largest.Mean && smallest.Percentile <= largest.Percentile
}
