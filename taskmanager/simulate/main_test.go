package simulate_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package if a test leaves a goroutine behind, other than the test that all bubbles
// of Run belong to.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble.init.func1.1"))
}
