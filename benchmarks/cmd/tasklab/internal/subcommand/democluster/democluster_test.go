package democluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/run"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/worker"
)

// asWorker makes the program of the tests a worker process.
const asWorker = "TASKLAB_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		os.Exit(int(worker.Subcommand.Execute(context.Background(), os.Args[2:], os.Stdout, os.Stderr)))
	}
	goleak.VerifyTestMain(m)
}

// demonstrate executes the subcommand with worker processes that start as given.
func demonstrate(ctx context.Context, start func(ctx context.Context, args []string) *exec.Cmd, args ...string) (status subcommand.Status, stdout, stderr string) {
	var out, faults bytes.Buffer
	s := Subcommand
	s.New = func() subcommand.Command {
		c := newCommand()
		c.start = start
		return c
	}
	status = s.Execute(ctx, args, &out, &faults)
	return status, out.String(), faults.String()
}

// startTest starts a worker process.
func startTest(ctx context.Context, args []string) *exec.Cmd {
	c := startSelf(ctx, args)
	c.Env = append(os.Environ(), asWorker+"=1")
	return c
}

// files is a directory with n files.
func files(t *testing.T, n int) string {
	t.Helper()
	contents := make(map[string]string)
	for i := range n {
		contents[fmt.Sprintf("dir-%d/file-%d", i%9, i)] = strings.Repeat("line\n", i)
	}
	return labtest.Tree(t, contents)
}

// One of three processes is killed, and no file is lost. The secret of the server is in no argument.
func TestDemoCluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := func(ctx context.Context, args []string) *exec.Cmd {
		if all := strings.Join(args, " "); strings.Contains(all, "@") {
			t.Errorf("all users of the machine see the secret in %s", all)
		}
		return startTest(ctx, args)
	}
	status, stdout, stderr := demonstrate(ctx, start, "-dir", files(t, 1500), "-lease", "500ms")
	if status != subcommand.OK {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
	for _, want := range []string{
		"1,500 files", "worker-3 is process", "worker-2 was killed (", "Delivered again, to the other processes: ", "worker-1 has read",
		"Both digests are equal: no file was lost, and none counts twice.",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "other processes: 0 files") {
		t.Errorf("the process that was killed had no file:\n%s", stdout)
	}
}

// Processes that do not start, or that end at once, end the demonstration, with what they say.
func TestProcessesThatFail(t *testing.T) {
	dir := files(t, 3)
	none := func(ctx context.Context, _ []string) *exec.Cmd { return exec.CommandContext(ctx, "/nowhere/at/all") }
	status, _, stderr := demonstrate(t.Context(), none, "-dir", dir)
	if status != subcommand.Failed || !strings.Contains(stderr, "tasklab: start worker-1: ") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	broken := func(ctx context.Context, _ []string) *exec.Cmd {
		return startTest(ctx, []string{"worker", "-cluster", "nonsense"})
	}
	status, _, stderr = demonstrate(ctx, broken, "-dir", dir)
	if status != subcommand.Failed {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"all worker processes have ended", "tasklab: worker-3: exit status 2", "-cluster: it is neither"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
}

// A demonstration whose processes go on can be interrupted.
func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	started := 0
	idle := func(ctx context.Context, _ []string) *exec.Cmd {
		if started++; started == 3 {
			time.AfterFunc(100*time.Millisecond, interrupt) // while the demonstration waits for the processes
		}
		return exec.CommandContext(ctx, "cat") // ends with its standard input
	}
	status, _, stderr := demonstrate(ctx, idle, "-dir", files(t, 3))
	if status != subcommand.Interrupted || !strings.Contains(stderr, "interrupted") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
}

// The digests of a demonstration that lost a file differ.
func TestTell(t *testing.T) {
	killed := exec.Command("true")
	_ = killed.Run() // whether it is there does not matter
	local := run.Report{Digest: strings.Repeat("a", 64)}
	for _, tt := range []struct {
		s      *scene
		shared run.Report
		want   string
	}{
		{&scene{stdout: io.Discard}, local, "no process was killed"},
		{&scene{stdout: io.Discard, victim: &process{name: "w", cmd: killed}}, run.Report{Digest: strings.Repeat("b", 64)}, "the digests differ"},
		{&scene{stdout: io.Discard, victim: &process{name: "w", cmd: killed}}, run.Report{Digest: local.Digest, Failures: make([]run.Failure, 1)}, "1 failures"},
		{&scene{stdout: io.Discard, victim: &process{name: "w", cmd: killed}}, local, ""},
	} {
		if err := tt.s.tell(local, tt.shared); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ args, want string }{
		{"", "-dir is missing"},
		{"-dir " + dir + " -processes 1", "-processes is 1; it must be from 2 to 100, since one is killed"},
		{"-dir " + dir + " -lease 1ms", "-lease is 1ms"},
	} {
		status, _, stderr := demonstrate(t.Context(), startTest, strings.Fields(tt.args)...)
		if status != subcommand.BadUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: status %d, %s, want %s", tt.args, status, stderr, tt.want)
		}
	}
}
