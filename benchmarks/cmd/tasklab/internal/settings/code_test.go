package settings_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

func TestOptions(t *testing.T) {
	check := func(option func(word string) (string, error), word, want string) {
		t.Helper()
		got, err := option(word)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", word, diff)
		}
	}
	queue, scaler, restart := optionOf(&settings.Disciplines), optionOf(&settings.Scalers), optionOf(&settings.Restarts)
	check(queue, "fair", "taskmanager.WithQueue(taskmanager.Fair(nil))")
	check(queue, "fair:b=2:a=3", `taskmanager.WithQueue(taskmanager.Fair(func(key string) int {
	switch key {
	case "a":
		return 3
	case "b":
		return 2
	}
	return 1
}))`)
	check(queue, "limitbykey:2", "taskmanager.WithQueue(taskmanager.LimitByKey(2, taskmanager.FIFO()))")
	check(queue, "priority:0+limitbykey:3", "taskmanager.WithQueue(taskmanager.LimitByKey(3, taskmanager.Priority(0)))")
	check(queue, "deadline", "taskmanager.WithQueue(taskmanager.Deadline(0))")
	check(queue, "deadline:90s", "taskmanager.WithQueue(taskmanager.Deadline(90 * time.Second))")
	check(scaler, "step", "taskmanager.WithScaler(scale.Step(500 * time.Millisecond))")
	check(scaler, "fixed", "taskmanager.WithScaler(scale.Fixed(0))")
	check(scaler, "targetwait:200ms:99.9+stabilise:1m+tolerance",
		"taskmanager.WithScaler(scale.Tolerance(0.1, scale.Stabilise(time.Minute, "+
			"scale.TargetWait(scale.TargetWaitConfig{Wait: 200 * time.Millisecond, Share: 0.999, Window: 5 * time.Second}))))")
	check(restart, "budget:5", "taskmanager.WithRestart(restart.Budget(0.05, 10, nil))")
}

func optionOf[T any](m *flagvalue.Menu[T]) func(word string) (string, error) {
	return func(word string) (string, error) {
		s, err := m.Find(word)
		return s.Option(), err
	}
}

// The options that are printed compile, and make what the program itself uses. A
// program with all of them, beside this package so that it may import it, compares.
func TestOptionsMakeTheSame(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`package main

import (
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var all = []taskmanager.Option{
`)
	const scalers, restarts = "settings.Scalers", "settings.Restarts"
	var checks bytes.Buffer
	compare := func(menu, word, option string) {
		fmt.Fprintf(&b, "%s,\n", option)
		fmt.Fprintf(&checks, "same(%q, find(&%s, %q), %s)\n", word, menu, word, argument(option))
	}
	for _, word := range words(&settings.Disciplines) {
		compare("settings.Disciplines", word, option(t, &settings.Disciplines, word))
	}
	for _, word := range words(&settings.Scalers) {
		compare(scalers, word, option(t, &settings.Scalers, word))
	}
	for _, word := range words(&settings.Restarts) {
		compare(restarts, word, option(t, &settings.Restarts, word))
	}
	fmt.Fprintf(&b, `}

func find[T any](m *flagvalue.Menu[T], word string) T {
	s, err := m.Find(word)
	if err != nil {
		panic(err)
	}
	return s.Value
}

// same compares what the menu makes with what the code makes. Functions cannot be
// compared, so disciplines are compared by their names.
func same(word string, menu, code any) {
	switch f := menu.(type) {
	case settings.NewScaler:
		menu = f()
	case settings.NewRestart:
		menu = f()
	case taskmanager.Discipline:
		menu, code = f.String(), fmt.Sprint(code)
	}
	if diff := cmp.Diff(menu, code, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		fmt.Printf("%%s (-menu +code):\n%%s", word, diff)
		os.Exit(1)
	}
}

func main() {
	_, _ = all, time.Second
%s}
`, checks.String())
	run(t, b.Bytes())
}

// option returns the option of a setting.
func option[T any](t *testing.T, m *flagvalue.Menu[T], word string) string {
	t.Helper()
	s, err := m.Find(word)
	if err != nil {
		t.Fatal(err)
	}
	return s.Option()
}

// argument returns the argument of a call.
func argument(call string) string {
	return call[bytes.IndexByte([]byte(call), '(')+1 : len(call)-1]
}

// run compiles and runs a program as if it were in a directory below this one.
func run(t *testing.T, program []byte) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	source, overlay := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "printed", "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{source: program, overlay: replace} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, "./printed").CombinedOutput(); err != nil {
		t.Fatalf("go run: %v\n%s\n%s", err, out, program)
	}
}
