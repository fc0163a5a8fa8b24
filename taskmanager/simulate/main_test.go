package simulate_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// lab makes the tests as thorough as make lab-check wants them, which takes minutes.
var lab = flag.Bool("lab", false, "compare with theory to the documented precision, and try all combinations of strategies")

// memory is a number of jobs, of which a tenth must take as much memory.
var memory = flag.Int("memory", 50_000, "the number of jobs for the test of the memory of a replay")

// TestMain fails the package if a test leaves a goroutine behind, other than the test that all bubbles
// of Run belong to.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble.init.func1.1"))
}
