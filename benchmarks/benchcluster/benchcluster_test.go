package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes the test binary a server, if it is the child of a test.
func TestMain(m *testing.M) {
	if served, err := serveIfChild(); served {
		exit(err)
		return
	}
	goleak.VerifyTestMain(m)
}

// TestMeasure takes all measurements of package nats in a small way.
func TestMeasure(t *testing.T) {
	var results []result
	all := ours(t.TempDir())
	for _, c := range []contender{all[0], all[2], all[4]} { // each kind of server
		p := planFor(c.durability, 0.02)
		p.yard = 1000
		f, err := measure(t.Context(), c, p)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for name, value := range map[string]float64{
			"yard": f.yard, "single": f.single, "parallel": f.parallel, "batch": f.batch, "run": f.run,
			"p50": f.p50.Seconds(), "p99": f.p99.Seconds(),
		} {
			if value <= 0 {
				t.Errorf("%s: the figure %s is %v, want more than 0", c.name, name, value)
			}
		}
		results = append(results, result{c, []figures{f}})
	}
	table := report(results, nil, time.Millisecond, time.Second)
	if got, want := strings.Count(table, "\n|**nats"), len(results); got != want {
		t.Errorf("the report has %d rows, want %d:\n%s", got, want, table)
	}
}

func TestMedian(t *testing.T) {
	rounds := []figures{{run: 100}, {run: 80}, {run: 120}}
	got := fmt.Sprint(median(rounds, func(f figures) float64 { return f.run }))
	if want := "100 0.2"; got != want {
		t.Errorf("median and spread are %s, want %s", got, want)
	}
	if got, want := thousands(1234)+" "+thousands(123.4)+" "+thousands(45678), "1.23k 123 45.7k"; got != want {
		t.Errorf("thousands returned %s, want %s", got, want)
	}
}
