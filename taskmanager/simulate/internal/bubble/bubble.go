// Package bubble runs functions in bubbles of package testing/synctest in an ordinary program.
//
// [synctest.Test] needs a *testing.T, which only a run of tests makes. So the package runs a test of
// its own with [testing.MainStart]. That function is for go test, and outside the compatibility
// promise of Go. If a new version of Go changes it, this package no longer compiles, or its test
// fails and says what to do. Nothing else depends on it.
package bubble

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Run calls f in a bubble of its own, and returns when all goroutines of the bubble have ended. It
// may be called concurrently.
//
// The first call starts a goroutine that stays until the program ends: the test that all bubbles
// belong to. Run parses the flags of package flag without arguments, unless the program has parsed
// them. The flags of package testing become flags of the program.
func Run(f func()) {
	test := theTest()
	synctest.Test(test, func(*testing.T) { f() })
}

// theTest returns the test that all bubbles belong to.
var theTest = sync.OnceValue(func() *testing.T {
	if !flag.Parsed() {
		// The error cannot be: there are no arguments. The program may still parse its own.
		_ = flag.CommandLine.Parse(nil)
	}
	running := make(chan *testing.T)
	m := testing.MainStart(dependencies{}, []testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
		running <- t
		select {} // the test must not end before the last bubble, and would print if it did
	}}}, nil, nil, nil)
	restore := withoutFlags()
	procs := runtime.GOMAXPROCS(0)
	go m.Run()
	test := <-running
	restore()
	runtime.GOMAXPROCS(procs) // which the flag -test.cpu changes
	return test
})

// withoutFlags sets the flags of package testing to their defaults, so that in the test of another
// package the run of the test here does not write the profiles and logs of that one. It returns a
// function that sets them as they were.
func withoutFlags() (restore func()) {
	was := make(map[*flag.Flag]string)
	flag.VisitAll(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "test.") && f.Value.String() != f.DefValue {
			was[f] = f.Value.String()
			set(f, f.DefValue)
		}
	})
	return func() {
		for f, value := range was {
			set(f, value)
		}
	}
}

// set sets a flag to a value that it had.
func set(f *flag.Flag, value string) {
	if err := f.Value.Set(value); err != nil {
		panic(fmt.Sprintf("bubble: flag %s: %v", f.Name, err))
	}
}

// dependencies is what go test passes to testing.MainStart, as far as a test without files, coverage
// and fuzzing needs it.
type dependencies struct{}

var errUnused = errors.New("bubble: there are no files and no fuzzing")

func (dependencies) ImportPath() string                          { return "" }
func (dependencies) ModulePath() string                          { return "" }
func (dependencies) MatchString(_, _ string) (bool, error)       { return true, nil }
func (dependencies) SetPanicOnExit0(bool)                        {}
func (dependencies) StartCPUProfile(io.Writer) error             { return errUnused }
func (dependencies) StopCPUProfile()                             {}
func (dependencies) StartTestLog(io.Writer)                      {}
func (dependencies) StopTestLog() error                          { return nil }
func (dependencies) WriteProfileTo(string, io.Writer, int) error { return errUnused }
func (dependencies) CheckCorpus([]any, []reflect.Type) error     { return errUnused }
func (dependencies) ResetCoverage()                              {}
func (dependencies) SnapshotCoverage()                           {}

func (dependencies) CoordinateFuzzing(time.Duration, int64, time.Duration, int64, int, []corpusEntry, []reflect.Type, string, string) error {
	return errUnused
}

func (dependencies) RunFuzzWorker(func(corpusEntry) error) error { return errUnused }

func (dependencies) ReadCorpus(string, []reflect.Type) ([]corpusEntry, error) {
	return nil, errUnused
}

func (dependencies) InitRuntimeCoverage() (mode string, tearDown func(string, string) (string, error), snapshot func() float64) {
	return "", nil, nil
}

// corpusEntry has the fields of a type of the fuzzer, which the methods above must name.
type corpusEntry = struct {
	Parent     string
	Path       string
	Data       []byte
	Values     []any
	Generation int
	IsSeed     bool
}
