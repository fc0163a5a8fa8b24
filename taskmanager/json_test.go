package taskmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// sameText makes cmp compare errors by their texts.
var sameText = cmp.Options{
	cmp.Comparer(func(a, b error) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return a.Error() == b.Error()
	}),
	cmpopts.EquateNaNs(),
}

// checkRoundTrip checks that a value that is read from JSON equals the one that was written.
func checkRoundTrip[V any](t *rapid.T, v V) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got V
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if diff := cmp.Diff(v, got, sameText); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", data, diff)
	}
}

func drawTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" is zero") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, label), rapid.Int64Range(0, 999_999_999).Draw(t, label+" ns"))
}

func drawError(t *rapid.T, label string) error {
	if rapid.Bool().Draw(t, label+" is nil") {
		return nil
	}
	return errors.New(rapid.String().Draw(t, label))
}

// TestStatusDidNotRoundTripThroughJSON writes and reads all that describes a manager.
func TestStatusDidNotRoundTripThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		status := taskmanager.TaskStatus{
			Name: text.Draw(t, "name"), Kind: text.Draw(t, "kind"), Key: text.Draw(t, "key"),
			Priority: rapid.Int().Draw(t, "priority"), Attempt: rapid.Int().Draw(t, "attempt"), Worker: rapid.Int32().Draw(t, "worker"),
			Status: taskmanager.Blocked, Description: text.Draw(t, "description"), Restarts: rapid.Int().Draw(t, "restarts"),
			Progress:      rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.Inf(1), math.Inf(-1), math.NaN()})).Draw(t, "progress"),
			ProgressError: drawError(t, "progress error"), LastError: drawError(t, "last error"),
			QueuedAt: drawTime(t, "queued"), StartedAt: drawTime(t, "started"), DueAt: drawTime(t, "due"),
		}
		checkRoundTrip(t, status)
		checkRoundTrip(t, taskmanager.Record{
			TaskStatus: status, EndedAt: drawTime(t, "ended"), Outcome: observe.Outcome(text.Draw(t, "outcome")),
			ErrorType: text.Draw(t, "error type"), TraceID: text.Draw(t, "trace"),
		})
		checkRoundTrip(t, taskmanager.WorkerInfo{
			TaskName: status.Name, Status: status.Status, Kind: status.Kind, Key: status.Key, Priority: status.Priority, Attempt: status.Attempt,
			Since: drawTime(t, "since"),
		})
		checkRoundTrip(t, taskmanager.Counts{Accepted: rapid.Uint64().Draw(t, "accepted"), TimedOut: 2, Queued: 3, Running: 4, Delayed: 5, Restarting: 6})
		checkRoundTrip(t, scheduler.Decided{Number: rapid.Uint64().Draw(t, "number"), At: drawTime(t, "decided"), Workers: 1, Target: status.Priority, Reason: status.Key})
		checkRoundTrip(t, observe.Decision{Manager: status.Name, Number: 1, At: drawTime(t, "decided"), Target: status.Priority, Reason: status.Key})
		checkRoundTrip(t, observe.Manager{
			Name: status.Name, State: observe.StatePaused, Discipline: status.Kind, Scaler: status.Key, Limit: status.Priority,
			Overflow: status.Description,
		})
		checkRoundTrip(t, scale.Snapshot{
			Min: 1, Queued: status.Priority, Submitted: 7, Now: drawTime(t, "now"), BusyTime: rapid.Float64().Draw(t, "busy"),
			OldestWait: time.Duration(rapid.Int64Range(0, int64(90*24*time.Hour)).Draw(t, "wait")),
		})
	})
}

// TestLongWaitRoundTripsToTheNanosecond reads waits whose seconds as a float64 have just the
// precision of a nanosecond.
func TestLongWaitRoundTripsToTheNanosecond(t *testing.T) {
	for _, wait := range []time.Duration{4194310987713791, 97*day - 1, -97*day + 1} {
		data, err := json.Marshal(scale.Snapshot{OldestWait: wait})
		if err != nil {
			t.Fatal(err)
		}
		var got scale.Snapshot
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		check.Equal(t, "the wait", got.OldestWait, wait)
	}
}

// TestJSONOfAStatus checks the names and units.
func TestJSONOfAStatus(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for what, c := range map[string]struct {
		value any
		want  string
	}{
		"running task": {
			taskmanager.TaskStatus{
				Name: "a", Kind: "job", Key: "k", Priority: 2, Attempt: 3, Worker: 4, Status: taskmanager.Running, Progress: 0.5,
				Restarts: 2, LastError: errFailed, QueuedAt: at, StartedAt: at.Add(time.Second),
			},
			`{"name":"a","kind":"job","key":"k","priority":2,"attempt":3,"worker":4,"status":"running","description":"","progress":0.5,` +
				`"restarts":2,"last_error":"failed","queued_at":"2000-01-01T00:00:00Z","started_at":"2000-01-01T00:00:01Z"}`,
		},
		"record": {
			taskmanager.Record{
				TaskStatus: taskmanager.TaskStatus{Name: "a", ProgressError: errors.New("")}, EndedAt: at,
				Outcome: observe.Failure, ErrorType: "panic", TraceID: "0af7651916cd43dd8448eb211c80319c",
			},
			`{"name":"a","kind":"","key":"","priority":0,"attempt":0,"worker":0,"status":"","description":"","progress":0,"restarts":0,` +
				`"progress_error":"","ended_at":"2000-01-01T00:00:00Z","outcome":"failure","error_type":"panic",` +
				`"trace_id":"0af7651916cd43dd8448eb211c80319c"}`,
		},
		"worker": {
			taskmanager.WorkerInfo{TaskName: "idle", Status: taskmanager.Waiting},
			`{"task_name":"idle","status":"waiting","kind":"","key":"","priority":0,"attempt":0}`,
		},
		"decision": {scheduler.Decided{Workers: 1, Target: 2, Reason: "r"}, `{"number":0,"workers":1,"target":2,"reason":"r"}`},
		"manager": {
			observe.Manager{Name: "n", State: observe.StateDraining, Discipline: "FIFO", Scaler: "Demand(1)", Limit: -1},
			`{"name":"n","state":"draining","discipline":"FIFO","scaler":"Demand(1)","limit":-1,"overflow":""}`,
		},
		"busy worker": {
			taskmanager.WorkerInfo{TaskName: "a", Status: taskmanager.Running, Since: at},
			`{"task_name":"a","status":"running","kind":"","key":"","priority":0,"attempt":0,"since":"2000-01-01T00:00:00Z"}`,
		},
	} {
		data, err := json.Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		check.Equal(t, what, string(data), c.want)
	}
	data, err := json.Marshal(scale.Snapshot{OldestWait: 1500 * time.Millisecond})
	if err != nil || !strings.Contains(string(data), `"oldest_wait":1.5`) || strings.Contains(string(data), `"now"`) {
		t.Errorf("%v: %s", err, data)
	}
	for _, bad := range []string{`{"progress":"much"}`, `{"progress":{}}`, `{"name":1}`, `[]`} {
		var s taskmanager.TaskStatus
		var r taskmanager.Record
		if json.Unmarshal([]byte(bad), &s) == nil || json.Unmarshal([]byte(bad), &r) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	var s taskmanager.TaskStatus
	if err := json.Unmarshal([]byte(`{"name":"a","progress":null}`), &s); err != nil || s.Name != "a" {
		t.Errorf("a status without progress: %v, %+v", err, s)
	}
}

// TestStatusHadNoKind checks the kind, key, priority and attempt of a task without observers:
// in its status, in that of its worker, and after its end.
func TestStatusHadNoKind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 4), taskmanager.WithHistory(10), taskmanager.WithQueue(taskmanager.Priority(0)),
			taskmanager.WithRestart(fixedDelay(time.Second)))
		asked := 0
		kind := func() string { asked++; return "asked" }
		runs := 0
		var handles []*taskmanager.Handle
		release := make(chan struct{})
		execute := func(context.Context) error { <-release; return nil }
		handles = append(handles,
			submit(t, m, sorted{&task{name: "a", execute: execute}, kind}, taskmanager.WithPriority(3), taskmanager.WithKey("k")),
			submit(t, m, &task{name: "b", execute: func(context.Context) error {
				if runs++; runs == 1 {
					return errFailed
				}
				<-release
				return nil
			}, restart: func(context.Context, error) bool { return true }}),
			submitFunc(t, m, "c", execute),
			submitFunc(t, m, "d", execute, taskmanager.WithKind("given")),
		)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		want := map[string]taskmanager.WorkerInfo{
			"a": {TaskName: "a", Status: taskmanager.Running, Kind: "asked", Key: "k", Priority: 3, Attempt: 1},
			"b": {TaskName: "b", Status: taskmanager.Running, Kind: "*taskmanager_test.task", Attempt: 2},
			"c": {TaskName: "c", Status: taskmanager.Running, Kind: "func", Attempt: 1},
			"d": {TaskName: "d", Status: taskmanager.Running, Kind: "given", Attempt: 1},
		}
		got := map[string]taskmanager.WorkerInfo{}
		for _, w := range m.Workers() {
			since := time.Duration(0)
			if w.TaskName == "b" {
				since = time.Second // its second execution
			}
			check.Equal(t, "since of "+w.TaskName, w.Since.Sub(begin), since)
			w.Since = time.Time{}
			got[w.TaskName] = w
		}
		check.Equal(t, "workers", got, want)
		brief := func(s taskmanager.TaskStatus) taskmanager.WorkerInfo {
			return taskmanager.WorkerInfo{TaskName: s.Name, Status: taskmanager.Running, Kind: s.Kind, Key: s.Key, Priority: s.Priority, Attempt: s.Attempt}
		}
		for name, s := range m.TaskStatus() {
			check.Equal(t, "status of "+name, brief(s), want[name])
		}
		close(release)
		synctest.Wait()
		for _, h := range handles {
			check.Equal(t, "status after the end", brief(h.Status()), want[h.Name()])
		}
		for _, r := range m.History() {
			check.Equal(t, "record", brief(r.TaskStatus), want[r.Name])
		}
		check.Equal(t, "records", len(m.History()), 4)
		check.Equal(t, "calls of Kind", asked, 1)
	})
}

// TestRecordLostTheFinalProgress checks that the record of a task that ran has its last
// progress and description, and that those of other tasks are not asked for.
func TestRecordLostTheFinalProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithHistory(10), taskmanager.WithWorkers(1, 1))
		done := 0.0
		asked := 0
		work := func(name string, err error) *task {
			return &task{
				name: name, execute: func(context.Context) error { done++; return err },
				progress: func() (float64, error) { asked++; return done, nil }, describe: func() string { return "step of " + name },
			}
		}
		await(t, submit(t, m, work("succeeds", nil)))
		await(t, submit(t, m, work("fails", errFailed)))
		await(t, submit(t, m, &task{name: "panics", progress: func() (float64, error) { panic("no") }}))
		later := submit(t, m, work("never runs", nil), taskmanager.WithDelay(time.Hour))
		later.Cancel()
		type final struct {
			Name, Description string
			Progress          float64
			Fault             bool
		}
		var got []final
		for _, r := range m.History() {
			got = append(got, final{r.Name, r.Description, r.Progress, r.ProgressError != nil})
		}
		check.Equal(t, "records", got, []final{
			{"succeeds", "step of succeeds", 1, false}, {"fails", "step of fails", 2, false}, {"panics", "", 0, true}, {"never runs", "", 0, false},
		})
		check.Equal(t, "calls of Progress", asked, 2)
	})
}
