package flagvalue

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Parameter declares a number that may follow a name.
type Parameter struct {
	Name        string // in help, errors and Go code
	Kind        Kind
	Default     float64 // the value if it is left out; values are in the unit of the kind
	Absent      string  // describes the default in the help; empty: as the number
	Least, Most float64 // bounds, both included
	Meaning     string  // for the help

	// Tune is the range in which a search should look for good values. It is within
	// the bounds.
	Tune Range
}

// Kind is the unit of a parameter, and how users write it.
type Kind uint8

// The kinds of parameters.
const (
	Duration Kind = iota // nanoseconds, written as 100ms
	Count                // a whole number
	Percent              // percent; the Go code has a fraction
	Number               // any number
)

// Range is a range of values of a parameter, in the unit of its kind. The zero
// value means that the parameter is not to be tuned.
type Range struct {
	From, To float64
	// Even means that values spread evenly. Otherwise their ratios do.
	Even bool
}

// Times returns a range of durations for [Parameter.Tune].
func Times(from, to time.Duration) Range { return Range{From: float64(from), To: float64(to)} }

// Tunable reports whether a search should vary the parameter.
func (p *Parameter) Tunable() bool { return p.Tune.To > p.Tune.From }

// At returns the value at a place in the range for tuning, from 0 at its
// beginning to 1 at its end. It is rounded to what users would write: two digits,
// a whole number, or a tenth of a percent.
func (p *Parameter) At(place float64) float64 {
	place = min(max(place, 0), 1)
	r := p.Tune
	v := r.From + place*(r.To-r.From)
	if !r.Even {
		v = r.From * math.Pow(r.To/r.From, place)
	}
	switch p.Kind {
	case Percent:
		v = math.Round(v*10) / 10
	case Number:
		v = twoDigits(v)
	case Duration, Count:
		v = math.Round(twoDigits(v))
	}
	return min(max(v, r.From), r.To)
}

// twoDigits rounds a positive number to two digits.
func twoDigits(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64) // cannot fail
	return rounded
}

// Format writes a value as users write it.
func (p *Parameter) Format(v float64) string {
	if p.Kind != Duration {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return output.Duration(time.Duration(v))
}

// parse reads a value. The error says what is allowed.
func (p *Parameter) parse(s string) (float64, error) {
	var v float64
	var err error
	switch p.Kind {
	case Duration:
		var d time.Duration
		d, err = time.ParseDuration(s)
		v = float64(d)
	case Count:
		var n int64
		n, err = strconv.ParseInt(s, 10, 32)
		v = float64(n)
	default:
		v, err = strconv.ParseFloat(s, 64)
	}
	if err != nil || math.IsNaN(v) || v < p.Least || v > p.Most {
		return 0, fmt.Errorf("%s is %q; it must be %s", p.Name, s, p.allowed())
	}
	return v, nil
}

// allowed describes the values that users may give.
func (p *Parameter) allowed() string {
	kind := map[Kind]string{Duration: "a duration", Count: "a whole number", Percent: "a percentage", Number: "a number"}[p.Kind]
	return fmt.Sprintf("%s from %s to %s", kind, p.Format(p.Least), p.Format(p.Most))
}

// explanation is the parameter's line in the help.
func (p *Parameter) explanation() string {
	absent := p.Absent
	if absent == "" {
		absent = p.Format(p.Default)
	}
	return fmt.Sprintf("%s  %s (%s to %s; default %s)", p.Name, p.Meaning, p.Format(p.Least), p.Format(p.Most), absent)
}

// code writes a value as Go code.
func (p *Parameter) code(v float64) string {
	switch p.Kind {
	case Duration:
		return DurationCode(time.Duration(v))
	case Percent:
		return strconv.FormatFloat(fraction(v), 'f', -1, 64)
	default:
		return p.Format(v)
	}
}

// fraction returns a percentage as a fraction, as if the decimal point of the
// percentage had been moved: 99.9 / 100 is not 0.999.
func fraction(percent float64) float64 {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(percent, 'f', -1, 64)+"e-2", 64) // cannot fail
	return f
}

// DurationCode writes a duration as Go code, in the largest unit in which it is a
// whole number.
func DurationCode(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{
		{time.Hour, "time.Hour"}, {time.Minute, "time.Minute"}, {time.Second, "time.Second"},
		{time.Millisecond, "time.Millisecond"}, {time.Microsecond, "time.Microsecond"},
	} {
		switch {
		case d == unit.length:
			return unit.name
		case d%unit.length == 0:
			return fmt.Sprintf("%d*%s", d/unit.length, unit.name)
		}
	}
	return strconv.FormatInt(int64(d), 10)
}
