package trace

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// longest says in errors what the longest time.Duration is.
const longest = "292 years"

// seconds parses a time in seconds, and rounds it to the nanosecond. It is exact, unless the number
// has an exponent.
func seconds(cell []byte) (time.Duration, error) {
	if d, ok := plainSeconds(cell); ok {
		return d, nil
	}
	if len(cell) == 0 {
		return 0, errors.New("it is empty; it must be a number of seconds")
	}
	f, err := strconv.ParseFloat(string(cell), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%s is not a number of seconds", quote(cell))
	}
	return duration(f, string(cell))
}

// duration converts a number of seconds, whose text is for errors.
func duration(f float64, text string) (time.Duration, error) {
	ns := math.RoundToEven(f * 1e9)
	switch {
	case math.IsNaN(f), math.IsInf(f, 0):
		return 0, fmt.Errorf("%s is not a finite number of seconds", quote(text))
	case f < 0:
		return 0, fmt.Errorf("%s is negative", quote(text))
	case ns >= math.MaxInt64: // the float64 is above it
		return 0, fmt.Errorf("%s is longer than %s, the longest time", quote(text), longest)
	}
	return time.Duration(ns), nil
}

// plainSeconds parses digits with an optional decimal point.
func plainSeconds(cell []byte) (d time.Duration, ok bool) {
	const most = math.MaxInt64 / uint64(time.Second)
	var ns uint64
	digits, unit := 0, uint64(0) // unit is that of the last digit, in ns, or 0 before the point
	past := false                // the last digit was less than a nanosecond
	for _, c := range cell {
		switch {
		case c == '.' && unit == 0:
			unit = uint64(time.Second)
			ns *= unit
			continue
		case c < '0' || c > '9':
			return 0, false
		case unit == 0:
			if ns = 10*ns + uint64(c-'0'); ns > most {
				return 0, false
			}
		case unit > 1:
			unit /= 10
			ns += unit * uint64(c-'0')
		case !past: // this digit decides how to round
			past = true
			if c >= '5' {
				ns++
			}
		}
		digits++
	}
	if unit == 0 {
		ns *= uint64(time.Second)
	}
	return time.Duration(ns), digits > 0 && ns <= math.MaxInt64
}

// appendSeconds appends a time in seconds, to the nanosecond.
func appendSeconds(b []byte, d time.Duration) []byte {
	n := uint64(d)
	if d < 0 {
		b = append(b, '-')
		n = -n
	}
	b = strconv.AppendUint(b, n/1e9, 10)
	ns := n % 1e9
	if ns == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(1e8); ns > 0; unit /= 10 {
		b = append(b, byte('0'+ns/unit))
		ns %= unit
	}
	return b
}

// whole parses a whole number.
func whole[N int | int64](cell []byte) (N, error) {
	n, err := strconv.ParseInt(string(cell), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && int64(N(n)) != n: // an int may have 32 bits
		return 0, fmt.Errorf("%s is too large", quote(cell))
	case err != nil:
		return 0, fmt.Errorf("%s is not a whole number", quote(cell))
	}
	return N(n), nil
}

// natural parses a whole number that is not negative.
func natural[N int | int64](cell []byte) (N, error) {
	n, err := whole[N](cell)
	if err == nil && n < 0 {
		err = fmt.Errorf("%s is negative", quote(cell))
	}
	return n, err
}
