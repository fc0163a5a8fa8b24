package objective

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Unit is the unit of a quantity.
type Unit int

// The units.
const (
	Number   Unit = iota // a count or a ratio
	Duration             // nanoseconds
	Percent              // of the jobs
)

// Statistic selects a value of a distribution.
type Statistic struct {
	Mean       bool    // the mean; Percentile is then 0
	Percentile float64 // above 0 and at most 100; 100 is the maximum
}

// String returns the word for the statistic: mean, max or, for example, p99.9.
func (s Statistic) String() string {
	switch {
	case s.Mean:
		return "mean"
	case s.Percentile == 100:
		return "max"
	default:
		return "p" + strconv.FormatFloat(s.Percentile, 'f', -1, 64)
	}
}

// Quantity is something that a replay measures. The zero value is none. Quantities can be compared
// with ==.
type Quantity struct {
	Measure   string    // such as wait or late: a name in the table of measures
	Statistic Statistic // of a distribution; otherwise the zero value
	Key       string    // with Keyed, of the jobs with this key
	Keyed     bool
	Percent   bool // a count, as a percentage of the jobs
}

// measure is an entry of the table of what a replay measures. One of the functions is set.
type measure struct {
	name  string
	unit  Unit
	times func(g simulate.Group) simulate.Distribution
	ratio func(g simulate.Group) simulate.Ratios
	count func(g simulate.Group) int
	whole func(r simulate.Report) float64 // of the whole replay; there is none of a key
	most  float64                         // the largest possible value, if there is one
}

// measures are in the order of the documentation.
var measures = []measure{
	{name: "wait", unit: Duration, times: func(g simulate.Group) simulate.Distribution { return g.Wait }},
	{name: "sojourn", unit: Duration, times: func(g simulate.Group) simulate.Distribution { return g.Sojourn }},
	{name: "run", unit: Duration, times: func(g simulate.Group) simulate.Distribution { return g.Run }},
	{name: "slowdown", ratio: func(g simulate.Group) simulate.Ratios { return g.Slowdown }},
	{name: "shed", count: func(g simulate.Group) int { return g.Shed }},
	{name: "dropped", count: func(g simulate.Group) int { return g.Dropped }},
	{name: "failed", count: func(g simulate.Group) int { return g.Failed }},
	{name: "late", count: func(g simulate.Group) int { return g.Late }},
	{name: "jain", most: 1, whole: func(r simulate.Report) float64 { return r.Jain }},
	{name: "worker-seconds", whole: func(r simulate.Report) float64 { return r.WorkerTime }},
	{name: "peak workers", whole: func(r simulate.Report) float64 { return float64(r.PeakWorkers) }},
	{name: "turns", whole: func(r simulate.Report) float64 { return float64(r.Turns) }},
}

// distributed reports whether the measure is a distribution, which needs a statistic.
func (m *measure) distributed() bool { return m.times != nil || m.ratio != nil }

// entry returns the measure of a quantity. It panics if there is none, since the parser and the
// declarations of this program make quantities.
func (q Quantity) entry() *measure {
	i := slices.IndexFunc(measures, func(m measure) bool { return m.name == q.Measure })
	if i < 0 {
		panic(fmt.Sprintf("objective: there is no measure %q", q.Measure))
	}
	return &measures[i]
}

// Unit returns the unit of the values of the quantity.
func (q Quantity) Unit() Unit {
	if q.Percent {
		return Percent
	}
	return q.entry().unit
}

// most returns the largest possible value, or 0 if there is none.
func (q Quantity) most() float64 {
	if q.Percent {
		return 100
	}
	return q.entry().most
}

// String returns the quantity in the form that [ParseQuantity] reads. The percent sign of a
// percentage belongs to the bound and is not part of it.
func (q Quantity) String() string {
	s := q.Measure
	if q.entry().distributed() {
		s = q.Statistic.String() + " " + s
	}
	if q.Keyed {
		s += " of " + quote(q.Key)
	}
	return s
}

// quote quotes a key if it would not be one word.
func quote(key string) string {
	if key == "" || strings.ContainsFunc(key, separates) || strconv.Quote(key) != `"`+key+`"` {
		return strconv.Quote(key)
	}
	return key
}

// Of returns the value of the quantity in a report: nanoseconds, a number or a percentage. It is
// 0 for a key that does not occur.
func (q Quantity) Of(r simulate.Report) float64 {
	m := q.entry()
	if m.whole != nil {
		return m.whole(r)
	}
	g := r.Total
	if q.Keyed {
		i, found := slices.BinarySearchFunc(r.Keys, q.Key, func(g simulate.Group, key string) int { return cmp.Compare(g.Name, key) })
		if !found {
			return 0
		}
		g = r.Keys[i]
	}
	switch {
	case m.times != nil && q.Statistic.Mean:
		return float64(m.times(g).Mean())
	case m.times != nil:
		return float64(m.times(g).Percentile(q.Statistic.Percentile))
	case m.ratio != nil && q.Statistic.Mean:
		return m.ratio(g).Mean()
	case m.ratio != nil:
		return m.ratio(g).Percentile(q.Statistic.Percentile)
	case q.Percent:
		return 100 * float64(m.count(g)) / float64(max(g.Jobs, 1))
	default:
		return float64(m.count(g))
	}
}

// Format returns a value of the quantity for people, with three digits.
func (q Quantity) Format(value float64) string {
	switch q.Unit() {
	case Duration:
		d, step := time.Duration(value), time.Duration(1)
		for d/step >= 1000 {
			step *= 10
		}
		return d.Round(step).String()
	case Percent:
		return number(value) + "%"
	default:
		return number(value)
	}
}

// number formats a number with at least three digits, without an exponent.
func number(v float64) string {
	decimals := 0
	for scale := 1.0; decimals < 3 && v*scale < 100 && v*scale != float64(int64(v*scale)); scale *= 10 {
		decimals++
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
