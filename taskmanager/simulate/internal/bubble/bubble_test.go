package bubble_test

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble"
)

func TestMain(m *testing.M) {
	if os.Getenv("BUBBLE_PROGRAM") != "" {
		program()
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble.init.func1.1"))
}

// program is an ordinary program: it runs no tests.
func program() {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			bubble.Run(func() {
				begin := time.Now()
				time.Sleep(24 * time.Hour)
				if slept := time.Since(begin); slept != 24*time.Hour {
					panic("slept for " + slept.String())
				}
			})
		})
	}
	all.Wait()
	fmt.Println("done")
}

// TestOrdinaryProgram runs bubbles in a program without tests, whose output and arguments are its
// own.
func TestOrdinaryProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-an", "argument")
	c.Env = append(os.Environ(), "BUBBLE_PROGRAM=1")
	out, err := c.CombinedOutput()
	if err != nil || string(out) != "done\n" {
		t.Errorf(`A program without tests cannot enter a bubble of testing/synctest: %v
%s
A new version of Go may have changed testing.MainStart or testing.M. Compare them with how
bubble.go uses them: it starts a test that hands out its *testing.T and never ends.`, err, out)
	}
}

// TestRunInTest runs bubbles in a test, beside its own.
func TestRunInTest(t *testing.T) {
	begin := time.Now()
	bubble.Run(func() {
		virtual := time.Now()
		time.Sleep(time.Hour)
		if slept := time.Since(virtual); slept != time.Hour {
			t.Errorf("slept for %v of virtual time, want an hour", slept)
		}
	})
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("a virtual hour took %v", took)
	}
}
