//go:build linux

package e2ecluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// collector starts the OpenTelemetry Collector, which writes the spans that it gets to a file. stop ends it and
// completes the file.
func (c *cluster) collector() (endpoint, file string, stop func()) {
	c.t.Helper()
	if *collectorPath == "" {
		c.t.Fatal("the test needs the OpenTelemetry Collector; run make e2e-cluster, or pass -collector")
	}
	at, file := freeAddress(c.t), filepath.Join(c.dir, "spans.json")
	config := filepath.Join(c.dir, "collector.yaml")
	text := fmt.Sprintf(`receivers:
  otlp: {protocols: {http: {endpoint: %s}}}
exporters:
  file: {path: %s}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
`, at, file)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	command := exec.Command(*collectorPath, "--config", config)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	c.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	c.until("the Collector to listen", func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	return "http://" + at, file, func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended, which the file shows
		<-ended
	}
}

// otlpSpan is a span as the Collector writes it.
type otlpSpan struct {
	Trace  string `json:"traceId"`
	ID     string `json:"spanId"`
	Parent string `json:"parentSpanId"`
	Name   string `json:"name"`
	Start  uint64 `json:"startTimeUnixNano,string"`
	Links  []struct {
		ID string `json:"spanId"`
	} `json:"links"`

	service string
}

type attributes []struct {
	Key   string `json:"key"`
	Value struct {
		Text string `json:"stringValue"`
	} `json:"value"`
}

// readSpans reads what the Collector has written, in the order of the starts.
func readSpans(t *testing.T, path string) []otlpSpan {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []otlpSpan
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var batch struct {
			Resources []struct {
				Resource struct {
					Attributes attributes `json:"attributes"`
				} `json:"resource"`
				Scopes []struct {
					Spans []otlpSpan `json:"spans"`
				} `json:"scopeSpans"`
			} `json:"resourceSpans"`
		}
		if err := decoder.Decode(&batch); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch.Resources {
			for _, s := range r.Scopes {
				for _, span := range s.Spans {
					for _, a := range r.Resource.Attributes {
						if a.Key == "service.name" {
							span.service = a.Value.Text
						}
					}
					all = append(all, span)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b otlpSpan) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return all
}

// A request, the submit in its process, and the two executions in two other processes are one trace in the
// Collector. The second execution is linked to the first.
func TestTraceOverProcesses(t *testing.T) {
	c := launch(t, settings{})
	endpoint, file, stop := c.collector()
	flags := func(more ...string) []string { return c.flags(c.url(), append(more, "-otlp", endpoint)...) }
	c.start("request", "front", flags("-prefix", "traced")...).wait()
	w1 := c.start("worker", "w1", flags("-backoff", "2s")...)
	c.until("the first failure to be stored", func(ctx context.Context) error {
		s, err := c.client.Lookup(ctx, "traced")
		if err == nil && s.Status != taskmanager.Restarted {
			err = fmt.Errorf("%v", s.Status)
		}
		return err
	})
	w1.terminate()
	w1.wait()
	w2 := c.start("worker", "w2", flags()...)
	c.await(1, ledger.End, "traced")
	c.balance(patience)
	w2.terminate()
	w2.wait()
	stop()

	spans := readSpans(t, file)
	names, traces := map[string]string{"": ""}, map[string]bool{}
	for _, s := range spans {
		names[s.ID] = s.service + ": " + s.Name
		traces[s.Trace] = true
	}
	var got []string
	for _, s := range spans {
		text := names[s.ID]
		if s.Parent != "" {
			text += " below " + names[s.Parent]
		}
		for _, l := range s.Links {
			text += " after " + names[l.ID]
		}
		got = append(got, text)
	}
	want := []string{
		"front: request",
		"front: submit again below front: request",
		"w1: run again below front: submit again",
		"w2: run again below front: submit again after w1: run again",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if len(traces) != 1 {
		t.Errorf("%d traces, want one", len(traces))
	}
	t.Logf("%d spans of %d processes, %d trace", len(spans), 3, len(traces))
}
