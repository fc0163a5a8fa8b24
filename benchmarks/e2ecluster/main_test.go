//go:build linux

package e2ecluster_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	asked         = flag.Bool("processes", false, "run the tests, which start processes and take minutes; make e2e-cluster does")
	collectorPath = flag.String("collector", "", "the `path` of the OpenTelemetry Collector")
	chaosTime     = flag.Duration("chaos", 40*time.Second, "how long TestChaos goes on")
	seed          = flag.Uint64("seed", 0, "what TestChaos does; 0 means something else each time")
	chaosServers  = flag.Int("servers", 1, "how many servers TestChaos has")
	keep          = flag.String("keep", "", "copy the ledger and the logs of tests that fail to this `directory`")
)

// program is the path of the compiled child.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	if !*asked {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "e2ecluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "child")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./internal/child").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the child does not compile: %v\n%s", err, out)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}

// need skips the test unless the flags ask for it.
func need(t *testing.T) {
	t.Helper()
	if !*asked {
		t.Skip("it starts processes and takes a while; run make e2e-cluster")
	}
}
