package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test program act as the process with one contender.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-alone" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestTable has a line for each contender, with all figures.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, []string{"-items", "1000", "-rounds", "2"}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[4:]
	if len(lines) != len(contenders()) {
		t.Fatalf("the table has %d lines, want %d:\n%s", len(lines), len(contenders()), out.String())
	}
	for i, x := range contenders() {
		if cells := strings.Split(lines[i], "|"); len(cells) != 9 || strings.TrimSpace(cells[1]) != x.name || strings.Contains(lines[i], "NaN") {
			t.Errorf("the line of %s is %s", x.name, lines[i])
		}
	}
	if !strings.Contains(lines[0], "| 1.00 |") {
		t.Errorf("the first contender is not the reference: %s", lines[0])
	}
}

// TestWrongResultsAreDetected, so that a contender that loses items or their order cannot win.
func TestWrongResultsAreDetected(t *testing.T) {
	for name, results := range map[string][]int{"order": {0, 4, 1}, "missing": {0, 1}, "too many": {0, 1, 4, 9}} {
		if checkAll(results, 3) == nil {
			t.Errorf("%s: no error for the results %v", name, results)
		}
	}
}

// TestInvalidFlags are errors.
func TestInvalidFlags(t *testing.T) {
	for _, args := range [][]string{{"-items", "0"}, {"-rounds", "0"}, {"-workers", "-1"}, {"more"}, {"-alone", "nobody"}} {
		if err := run(t.Context(), new(bytes.Buffer), args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// TestMedian of an odd and of an even number of rounds.
func TestMedian(t *testing.T) {
	ns := func(_ int, m measurement) float64 { return m.nanoseconds }
	if got := median([]measurement{{nanoseconds: 3}, {nanoseconds: 1}, {nanoseconds: 2}}, ns); got != 2 {
		t.Errorf("the median of 3, 1 and 2 is %v", got)
	}
	if got := median([]measurement{{nanoseconds: 4}, {nanoseconds: 1}}, ns); got != 2.5 {
		t.Errorf("the median of 4 and 1 is %v", got)
	}
}
