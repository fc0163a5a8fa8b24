package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/yardstick"
)

var limitsFile = flag.String("limits", "", "the `file` of the limits; without it, tests that depend on the speed are skipped")

// seenFrom returns from which factor on the guard detects that a path takes more time. The ratio of
// Submit to a channel differs by half between processors, so its limit is far from the least one.
func seenFrom(p path) float64 {
	if p.name == "scheduler.Pool.Submit" {
		return 1.75
	}
	return 1.5
}

// The guard detects 50 % more time (see seenFrom), and one more allocation, on each path. It
// accepts the paths as they are.
func TestGuardSeesWhatItShould(t *testing.T) {
	if *limitsFile == "" {
		t.Skip("make bench-guard runs it, without the race detector")
	}
	limits, err := readLimits(*limitsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		limit := limits[p.name]
		var c cost
		for range 3 { // other work may have slowed down the path or the yardstick
			var as error
			if c, as = attempts(p, limit); as != nil {
				t.Errorf("as it is: %v", as)
			}
			if err = slowed(p, c, limit); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("%s: %.2f times its time is not seen: %v", p.name, seenFrom(p), err)
		}
		if more, err := seen(p, hindrance{allocs: true}, limit, "allocations"); err != nil {
			t.Errorf("%s: one more allocation, %.2f after %.2f, is not seen: %v", p.name, more.Allocs, c.Allocs, err)
		}
	}
}

// slowed slows a path down more and more until the guard detects it. That must happen before
// the path takes as much time as seenFrom says. (The effect of additional work depends on the path: if the
// processors wait for each other, it is small.)
func slowed(p path, c, limit cost) error {
	for eighths := 1; eighths <= 40; eighths++ {
		slower, err := seen(p, hindrance{spin: int(float64(eighths) / 8 * c.seconds / turn())}, limit, "takes")
		switch {
		case slower.Ratio > seenFrom(p)*c.Ratio:
			return fmt.Errorf("%.2f after %.2f; that it is seen there is %v", slower.Ratio, c.Ratio, err == nil)
		case err == nil:
			return nil
		}
	}
	return errors.New("no work more slows it down")
}

// seen measures a hindered path. It is an error if the guard does not report the hindrance
// in two attempts; in one attempt, the yardstick may have been disturbed.
func seen(p path, h hindrance, limit cost, want string) (c cost, err error) {
	for range 2 {
		if c, err = measured(p, h, limit); err != nil && strings.Contains(err.Error(), want) {
			return c, nil
		}
	}
	if err == nil {
		err = errors.New("it finds nothing wrong")
	}
	return c, err
}

// turn returns how long a turn of the loop of a hindrance takes, in seconds.
func turn() float64 {
	const turns = 100_000
	least := time.Hour
	for range 20 {
		begin := time.Now()
		hindrance{spin: turns}.hinder()
		least = min(least, time.Since(begin))
	}
	return least.Seconds() / turns
}

// The report says how far apart the processors were, and whether that changed.
func TestConditionOfTheMachine(t *testing.T) {
	far := yardstick.Transfer{Nanoseconds: 240, State: yardstick.Far}
	near := yardstick.Transfer{Nanoseconds: 80, State: yardstick.Near}
	if got, want := condition(far, far), "processors far: 240 and 240 ns"; got != want {
		t.Errorf("the same state is %q, want %q", got, want)
	}
	if got, want := condition(far, near), "processors far: 240 ns, then near: 80 ns"; got != want {
		t.Errorf("two states are %q, want %q", got, want)
	}
}

// A file without limits for all paths is an error that says what is wrong.
func TestLimitsOfAllPaths(t *testing.T) {
	for content, want := range map[string]string{
		"{":  "unexpected end",
		"{}": "0 limits",
		`{"a": {"Ratio": 1}, "b": {"Ratio": 1}, "c": {"Ratio": 1}, "d": {"Ratio": 1}}`: "no limit for scheduler.Pool.Submit",
	} {
		file := filepath.Join(t.TempDir(), "limits.json")
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := guard(file, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
	if err := guard("nowhere", io.Discard); err == nil {
		t.Error("a file that is not there is no error")
	}
}
