package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asProgram makes the binary of the test the program itself.
const asProgram = "DURABLE_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a run of the program.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // closed at the end
	seen  []string
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, lines: make(chan string, 100)}
	p.cmd = exec.Command(os.Args[0], append([]string{"-dir", dir}, args...)...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(p.kill)
	return p
}

func (p *process) read(out io.Reader) {
	defer close(p.lines)
	for s := bufio.NewScanner(out); s.Scan(); {
		p.lines <- s.Text()
	}
}

// await waits until the program has printed all of these lines.
func (p *process) await(want ...string) {
	p.t.Helper()
	timeout := time.After(time.Minute)
	missing := func(line string) bool { return !slices.Contains(p.seen, line) }
	for slices.ContainsFunc(want, missing) {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the program has ended; it printed %q, want %q", p.seen, want)
			}
			p.seen = append(p.seen, line)
		case <-timeout:
			p.t.Fatalf("the program printed %q, want %q", p.seen, want)
		}
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// terminate asks the program to end, and waits until it has.
func (p *process) terminate() {
	p.t.Helper()
	if runtime.GOOS == "windows" {
		p.t.Skip("a process cannot be sent SIGTERM there")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("after SIGTERM: %v", err)
	}
}

// What is accepted is run, whenever the process is killed.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	t.Log("killed between the submit and the run")
	p := start(t, dir, "-pause", "1h", "-step", "300ms", "a", "b")
	p.await("a accepted", "b accepted")
	p.kill()

	t.Log("killed while the tasks run")
	p = start(t, dir)
	p.await("a 2 of 5", "b 2 of 5")
	p.kill()

	p = start(t, dir, "a")
	p.await("a is there already", "a done", "b done")
	p.terminate()

	p = start(t, dir, "-step", "1ms", "a")
	p.await("a done")
	p.terminate()
	want := []string{"a accepted", "a 1 of 5", "a 2 of 5", "a 3 of 5", "a 4 of 5", "a 5 of 5", "a done"}
	if diff := cmp.Diff(want, p.seen); diff != "" {
		t.Errorf("after both tasks have ended, and one was submitted again (-want +got):\n%s", diff)
	}
}

// On SIGTERM, the program gives its tasks back, so that they need not wait for the end of their lease.
func TestTerminated(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "-step", "1h", "a")
	p.await("a accepted", "a 1 of 5")
	p.terminate()
	began := time.Now()
	start(t, dir).await("a 1 of 5")
	if d := time.Since(began); d > lease/2 {
		t.Errorf("the task started again after %v, want much less than the lease, %v", d, lease)
	}
}
