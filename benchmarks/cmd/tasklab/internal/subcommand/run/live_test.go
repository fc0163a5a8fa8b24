package run

import (
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// fetching is content that asks the dashboard what the workers do when it is read.
func fetching(t *testing.T, url func() string, body *string) io.Reader {
	return labtest.ReaderFunc(func([]byte) (int, error) {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get(url() + "api/v1/workers")
		if err != nil {
			t.Error(err)
			return 0, io.EOF
		}
		all, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		*body = string(all)
		_ = answer.Body.Close() // it was only read
		return 0, io.EOF
	})
}

// The dashboard of a run shows what a worker reads, and ends with the run.
func TestDashboard(t *testing.T) {
	var stderr strings.Builder
	url := func() string {
		_, rest, _ := strings.Cut(stderr.String(), "http://")
		address, _, _ := strings.Cut(rest, " ")
		return "http://" + address
	}
	var body string
	cfg := testConfig
	cfg.dashboard = "127.0.0.1:0"
	cfg.live = cfg.startDashboard(&stderr)
	base := labtest.Map("b", "")
	files := labtest.Replace(base, "b", func(int64) (fs.File, error) {
		return labtest.With(base, "b", fetching(t, url, &body))
	})
	report, err := cfg.read(t.Context(), files, progress.New(io.Discard), taskmanager.WithObserver(cfg.live.observers()...))
	if err != nil || report.Read != 1 {
		t.Fatalf("%d files read, %v", report.Read, err)
	}
	if !strings.Contains(body, `"b"`) {
		t.Errorf("the workers do not read b:\n%s", body)
	}
	if connection, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url(), "http://"), "/")); err == nil {
		_ = connection.Close() // the test has failed
		t.Error("the dashboard is there after the run")
	}
}

// An address that cannot be listened on, or that others can reach, ends the command before it reads.
func TestDashboardAddress(t *testing.T) {
	for address, want := range map[string]string{
		"0.0.0.0:0":       "use a loopback address",
		"127.0.0.1:99999": "name another address",
	} {
		status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", t.TempDir(), "-dashboard", address)
		if status == subcommand.OK || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %q", address, status, stdout, stderr, want)
		}
	}
}
