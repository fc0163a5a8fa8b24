package scheduler_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// TestGoexitInPushEndsTheProcess checks that the process ends with a message, since the pool
// would stay locked forever.
func TestGoexitInPushEndsTheProcess(t *testing.T) {
	const child = "SCHEDULER_TEST_GOEXIT_IN_PUSH"
	if os.Getenv(child) != "" {
		p, err := scheduler.NewPool(scheduler.Config[int]{
			Queue: queue.Priority(func(int) int { runtime.Goexit(); return 0 }, 0),
		}, func(int32, int) {})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = p.TrySubmit(1) }()
		select {} // until the process ends
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	command.Env = append(os.Environ(), child+"=1")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if want := "the Push method of the queue called runtime.Goexit"; !errors.As(err, &exit) || !strings.Contains(string(out), "panic: scheduler: "+want) {
		t.Errorf("a process whose Push calls Goexit ended with %v, want a panic that says so:\n%s", err, out)
	}
}
