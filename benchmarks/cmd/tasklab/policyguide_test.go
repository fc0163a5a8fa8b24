package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

const guide = "POLICY.md"

var update = flag.Bool("update", false, "write the output of the commands into "+guide)

// block is a fenced block of the guide.
var block = regexp.MustCompile("(?ms)^```(console|sh|go)\n(.*?)^```\n")

// readGuide returns the guide.
func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The commands of the guide print what the guide shows. To write what they print into the guide,
// run the test with the flag -update.
func TestGuideShowsTheOutput(t *testing.T) {
	text := readGuide(t)
	path, err := filepath.Abs(guide)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(labtest.Tree(t, map[string]string{"a": "a", "b": "bb"}))
	ran := 0
	updated := block.ReplaceAllStringFunc(text, func(b string) string {
		found := block.FindStringSubmatch(b)
		kind, body := found[1], found[2]
		if kind == "go" {
			return b
		}
		var shown strings.Builder
		for _, c := range commands(kind, body) {
			status, stdout, stderr := command(t, arguments(t, c)...)
			if status != subcommand.OK {
				t.Errorf("%s\nends with status %d:\n%s", c, status, stderr)
			}
			ran++
			fmt.Fprintf(&shown, "$ %s\n%s\n", c, strings.TrimRight(stdout, "\n"))
		}
		if kind == "sh" { // with times that differ
			return b
		}
		if diff := cmp.Diff(shown.String(), body); diff != "" && !*update {
			t.Errorf("the guide shows something else (-output +guide):\n%s", diff)
		}
		return "```console\n" + shown.String() + "```\n"
	})
	if ran < 5 {
		t.Errorf("the guide has %d commands", ran)
	}
	if *update {
		if err := os.WriteFile(path, []byte(updated), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// commands returns the commands in a block, with their line breaks. In a console block each follows
// a $; in a shell script each is a line.
func commands(kind, body string) (all []string) {
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		c, isCommand := strings.CutPrefix(lines[i], "$ ")
		if !isCommand && kind == "console" {
			continue
		}
		for strings.HasSuffix(c, `\`) && i+1 < len(lines) {
			i++
			c += "\n" + lines[i]
		}
		all = append(all, c)
	}
	return all
}

// arguments splits a command of tasklab into its arguments, as a shell does.
func arguments(t *testing.T, c string) (args []string) {
	t.Helper()
	rest, ours := strings.CutPrefix(strings.ReplaceAll(c, "\\\n", " "), "tasklab ")
	if !ours {
		t.Fatalf("%q is no command of tasklab", c)
	}
	for i, part := range strings.Split(rest, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// The programs of the guide compile, and its test passes under the options that tune prints.
func TestGuideCompiles(t *testing.T) {
	text := readGuide(t)
	var programs []string
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		if found[1] == "go" {
			programs = append(programs, found[2])
		}
	}
	if len(programs) != 2 {
		t.Fatalf("the guide has %d programs", len(programs))
	}
	for i, arguments := range [][]string{{"vet"}, {"test", "-count=1"}} {
		file := filepath.Join(t.TempDir(), []string{"main.go", "policy_test.go"}[i])
		if err := os.WriteFile(file, []byte(programs[i]), 0o666); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "go", append(arguments, file)...).CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", arguments, err, out)
		}
	}
	_, printed, _ := strings.Cut(text, "m, err := taskmanager.Start(\n")
	printed, _, found := strings.Cut(printed, "\n)\n")
	if !found {
		t.Fatal("the guide does not show the options that tune prints")
	}
	for option := range strings.SplitSeq(printed, "\n") {
		if !strings.Contains(programs[1], "\n\t"+option+"\n") {
			t.Errorf("tune prints the option, and the test of the guide does not have it:\n%s", option)
		}
	}
}

// The test of the guide fails under other options: it guards them.
func TestGuideGuards(t *testing.T) {
	text := readGuide(t)
	all := block.FindAllStringSubmatch(text, -1)
	program := regexp.MustCompile(`WithWorkers\(\d+, \d+\)`).ReplaceAllString(all[len(all)-1][2], "WithWorkers(1, 4)")
	file := filepath.Join(t.TempDir(), "policy_test.go")
	if err := os.WriteFile(file, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", file).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("want 100ms")) {
		t.Errorf("with four workers: %v\n%s", err, out)
	}
}
