package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field describes the values of one of the fields.
type field struct {
	name     string
	min, max int
	names    []string // of the values, starting at min
}

var allFields = []field{
	{name: "second", max: 59},
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	}},
	{name: "day of week", max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var descriptors = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// check validates the fields, which are in lower case. It is stricter than the parser, which reads
// 62-5 as 2-5, *-x as *, and a single comma as an empty set.
func check(fields []string) error {
	if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
		if len(fields) > 1 || !slices.Contains(descriptors, fields[0]) {
			return fmt.Errorf("is no known word; use %s, or @every with a duration", strings.Join(descriptors, ", "))
		}
		return nil
	}
	if len(fields) != 5 && len(fields) != 6 {
		return fmt.Errorf("has %d fields; write five, for minute, hour, day of month, month and day of week, "+
			"or six with the second before them", len(fields))
	}
	for i, text := range fields {
		f := allFields[len(allFields)-len(fields)+i]
		for item := range strings.SplitSeq(text, ",") {
			if !f.holds(item) {
				return fmt.Errorf("has %q for the %s; use *, %s, with commas between", item, f.name, f.examples())
			}
		}
	}
	return nil
}

// holds reports whether an item is well-formed and its values are within the bounds of the field.
func (f field) holds(item string) bool {
	values, step, stepped := strings.Cut(item, "/")
	if stepped && number(step) < 1 {
		return false
	}
	if values == "*" || values == "?" {
		return true
	}
	first, last, ranged := strings.Cut(values, "-")
	from := f.value(first)
	if !ranged {
		return from >= f.min
	}
	to := f.value(last)
	// In a range that wraps around, the parser counts Sunday twice when there is a step.
	return from >= f.min && to >= f.min && (from <= to || !stepped)
}

// value returns the value of a number or a name. It is -1 for other text and for a number above max.
func (f field) value(text string) int {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.min + i
	}
	if n := number(text); n <= f.max {
		return n
	}
	return -1
}

// number returns the value of one or two digits, and -1 for other text.
func number(text string) int {
	if len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return -1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// examples describes the items of a field for an error message.
func (f field) examples() string {
	s := fmt.Sprintf("values from %d to %d, ranges like %d-%d, and steps like */2", f.min, f.max, f.min, f.max)
	if f.names != nil {
		s += fmt.Sprintf(", or names from %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return s
}
