// Benchguard fails if the dispatch of a task exceeds the limits in a file:
//
//	benchguard -limits limits.json
//
// A limit has a number of allocations and a ratio of times: that of the dispatch path to
// that of workers behind a buffered channel, measured in turns in the same process. Limits
// leave some room for a noisy machine, but 50 % more time, or one more allocation, exceeds
// them. For scheduler.Pool.Submit it is 75 %: its ratio depends on the processor, and is 0.63 on
// some and 0.92 on others. Smaller changes show in a comparison with another revision, on one
// machine: make bench-against. A path that exceeds its limit is measured again, up to six times within
// half a minute.
//
// Beside each path it prints how long it took to pass a cache line between two processors,
// before and after, since a virtual machine may have moved its processors meanwhile. The
// limits do not depend on that: a path is measured on one processor, where no cache line
// moves. They would depend on it with two, and then a limit for each state could not be
// checked whenever the state changes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed56799101/taskmanager/internal/yardstick"
)

func main() {
	file := flag.String("limits", "limits.json", "the `FILE` of the limits")
	flag.Parse()
	if err := guard(*file, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// readLimits reads the limits. There must be one for each path.
func readLimits(file string) (limits map[string]cost, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("benchguard: %w", err)
	}
	if err := json.Unmarshal(text, &limits); err != nil {
		return nil, fmt.Errorf("benchguard: %s: %w", file, err)
	}
	if len(limits) != len(paths) {
		return nil, fmt.Errorf("benchguard: %s has %d limits, and there are %d paths", file, len(limits), len(paths))
	}
	for _, p := range paths {
		if limits[p.name].Ratio <= 0 {
			return nil, fmt.Errorf("benchguard: %s has no limit for %s", file, p.name)
		}
	}
	return limits, nil
}

// guard measures all paths and compares them to the limits.
func guard(file string, w io.Writer) error {
	limits, err := readLimits(file)
	if err != nil {
		return err
	}
	var faults []error
	for _, p := range paths {
		limit := limits[p.name]
		before := yardstick.MeasureTransfer()
		c, err := attempts(p, limit)
		faults = append(faults, err)
		_, _ = fmt.Fprintf(w, "%-26s %6.2f of a channel (limit %5.2f)  %5.2f allocations (limit %4.2f)  %s\n",
			p.name, c.Ratio, limit.Ratio, c.Allocs, limit.Allocs, condition(before, yardstick.MeasureTransfer()))
	}
	return errors.Join(faults...)
}

// condition says how far apart the processors were.
func condition(before, after yardstick.Transfer) string {
	if before.State == after.State {
		return fmt.Sprintf("processors %v: %.0f and %.0f ns", before.State, before.Nanoseconds, after.Nanoseconds)
	}
	return fmt.Sprintf("processors %v: %.0f ns, then %v: %.0f ns", before.State, before.Nanoseconds, after.State, after.Nanoseconds)
}

// attempts measures a path until it is within the limit, at most six times, and returns the
// last result. Each pause is twice as long as the previous one, as a disturbance may last
// for some seconds.
func attempts(p path, limit cost) (c cost, err error) {
	pause := time.Second
	for range 5 {
		if c, err = measured(p, hindrance{}, limit); err == nil {
			return c, nil
		}
		time.Sleep(pause)
		pause *= 2
	}
	return measured(p, hindrance{}, limit)
}

// measured measures a path and compares the cost to the limit.
func measured(p path, h hindrance, limit cost) (cost, error) {
	c, err := measure(p, h)
	if err == nil {
		err = c.check(p.name, limit)
	}
	return c, err
}

// check compares a cost to a limit.
func (c cost) check(name string, limit cost) error {
	var faults []error
	if c.Ratio > limit.Ratio {
		faults = append(faults, fmt.Errorf("benchguard: %s takes %.2f of a channel, and may take %.2f", name, c.Ratio, limit.Ratio))
	}
	if c.Allocs > limit.Allocs {
		faults = append(faults, fmt.Errorf("benchguard: %s makes %.2f allocations, and may make %.2f", name, c.Allocs, limit.Allocs))
	}
	return errors.Join(faults...)
}
