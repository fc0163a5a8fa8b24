package guide_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// section returns the fenced blocks of a section of the guide, those of Go and the others.
func section(t *testing.T, heading string) (golang, other []string) {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the guide has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for _, b := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(rest, -1) {
		if b[1] == "go" {
			golang = append(golang, b[2])
		} else {
			other = append(other, b[2])
		}
	}
	return golang, other
}

// assignment is a line of a block that takes the place of a line of the program.
var assignment = regexp.MustCompile(`^\w+, err := `)

// adapt applies a block of the guide to a program, as its readers do. A block is a whole program, a function main, or
// lines: one that assigns an error takes the place of the line of the program that assigns the same, together with the
// lines before it.
func adapt(t *testing.T, program, block string) string {
	t.Helper()
	switch {
	case strings.HasPrefix(block, "package "):
		return block
	case strings.HasPrefix(block, "func main() {"):
		old := regexp.MustCompile(`(?ms)^func main\(\) \{\n.*?^\}\n`).FindString(program)
		program = strings.Replace(program, old, block, 1)
	default:
		before := ""
		for line := range strings.Lines(block) {
			left := assignment.FindString(line)
			if left == "" {
				before += line
				continue
			}
			old := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(left) + `.*\n`).FindString(program)
			if old == "" {
				t.Fatalf("the program has no line that begins with %q, as this one does:\n%s", left, line)
			}
			program = strings.Replace(program, old, before+line, 1)
			before = ""
		}
	}
	if !strings.Contains(program, "embed.") {
		program = regexp.MustCompile(`(?m)^\t".*/embed"\n`).ReplaceAllString(program, "")
	}
	return program
}

// build compiles a program and returns its path. Places are names of the guide and what stands for them here.
func build(t *testing.T, program string, places ...string) string {
	t.Helper()
	dir := t.TempDir()
	file, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(places...).Replace(program)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", file}, {"build", "-o", bin, file}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s\nof this program:\n%s", args[0], err, out, program)
		}
	}
	return bin
}

// output has the lines that programs have printed.
type output struct {
	lines chan string
	seen  []string
}

func newOutput() *output { return &output{lines: make(chan string, 1000)} }

// await waits for lines with these texts, in any order, after those that were awaited before. It returns what follows
// the last text that it has found.
func (o *output) await(t *testing.T, texts ...string) (rest string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for len(texts) > 0 {
		select {
		case line := <-o.lines:
			o.seen = append(o.seen, line)
			texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
				_, after, found := strings.Cut(line, text)
				if found {
					rest = after
				}
				return found
			})
		case <-timeout:
			t.Fatalf("no line with %q; the programs have printed:\n%s", texts, strings.Join(o.seen, "\n"))
		}
	}
	return rest
}

// start runs a program in a directory of its own, and returns what interrupts it and waits for a clean end.
func (o *output) start(t *testing.T, bin string, env ...string) (end func()) {
	t.Helper()
	cmd := exec.Command(bin)
	cmd.Dir, cmd.Env = filepath.Dir(bin), append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			o.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
			for len(o.lines) > 0 {
				t.Log(<-o.lines)
			}
		}
	}
}
