// Package duel measures two versions of the library in turns. It is compiled into the program
// that holds both versions, which runs as a process of its own and writes what it measures as
// JSON. The package knows the library only through the functions of a Side.
package duel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// Side is a version of the library.
type Side struct {
	// Open and OpenCrowded start a pool or a manager; see package ours.
	Open        func(way string, workers, producers, tasks int) (drive.Session, error)
	OpenCrowded func(way string, workers, tasks, others int) (drive.Session, error)
}

// Config says what to measure.
type Config struct {
	Rounds  int    // of short workloads; others have fewer
	Workers []int  // the maximum numbers of workers
	Run     string // a pattern for the names of workloads
	Quick   bool   // less work in a round
	Sleep   bool   // also the workloads whose tasks sleep, which take long

	tiny bool // hardly any work, for tests
}

// Result is what was measured in a workload.
type Result struct {
	Workload      string
	Before, After yardstick.Transfer
	Seconds       float64 // that the measurement took
	Figures       []Figure
}

// Figure is a number that was measured on both sides in each round. The values with the same
// index are from the same round.
type Figure struct {
	Name     string // with its unit
	Old, New []float64
	Channel  []float64 `json:",omitempty"` // for comparison: of workers behind a buffered channel
}

// Select returns the names of the workloads that a configuration asks for.
func (c Config) Select() ([]string, error) {
	list, err := c.workloads()
	names := make([]string, len(list))
	for i, w := range list {
		names[i] = w.name
	}
	return names, err
}

// workloads returns the workloads that a configuration asks for.
func (c Config) workloads() (chosen []workload, err error) {
	pattern, err := regexp.Compile(c.Run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var names []string
	for _, w := range c.all() {
		if pattern.MatchString(w.name) {
			chosen = append(chosen, w)
		}
		names = append(names, w.name)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-run: no workload matches %q; there are\n\t%s", c.Run, strings.Join(names, "\n\t"))
	}
	return chosen, nil
}

// Main is the main function of the program that holds both sides. The first argument is the
// Config as JSON. Results are written to the standard output as JSON, and progress to the
// standard error.
func Main(older, newer Side) {
	if err := run(os.Args[1:], older, newer, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, older, newer Side, out, progress io.Writer) error {
	if len(args) == 0 {
		return errors.New("this program is run by benchagainst; run that")
	}
	if args[0] == aloneArgument {
		return alone(args[1:], older, newer, out)
	}
	var c Config
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	list, err := c.workloads()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	for i, w := range list {
		_, _ = fmt.Fprintf(progress, "%2d of %d  %s", i+1, len(list), w.name)
		begin := time.Now()
		r := Result{Workload: w.name, Before: yardstick.MeasureTransfer()}
		r.Figures, err = w.measure(c, older, newer)
		if err != nil {
			_, _ = fmt.Fprintln(progress)
			return fmt.Errorf("%s: %w", w.name, err)
		}
		r.After, r.Seconds = yardstick.MeasureTransfer(), time.Since(begin).Seconds()
		_, _ = fmt.Fprintf(progress, "  %.1f s\n", r.Seconds)
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}
