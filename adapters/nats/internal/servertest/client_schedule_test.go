package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// aligned is a timetable of the multiples of a duration: all processes have the same times.
type aligned time.Duration

func (a aligned) Next(after time.Time) time.Time {
	return after.Truncate(time.Duration(a)).Add(time.Duration(a))
}

// timetable is any function.
type timetable func(time.Time) time.Time

func (f timetable) Next(after time.Time) time.Time { return f(after) }

// run is a task of a schedule.
type run struct {
	due time.Time // in its id
	at  time.Time // when it was stored, by the server's clock
}

// consume removes the tasks of a kind as they come, as if each ended at once, until there are n.
func consume(t *testing.T, nc *natsgo.Conn, kind string, n int) []run {
	t.Helper()
	cons, err := streams(t, nc).CreateConsumer(soon(t), "tasks", jetstream.ConsumerConfig{
		Durable: "w_normal_" + kind, FilterSubject: "tasks.run.normal." + kind + ".*", AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	var runs []run
	for ctx := soon(t); len(runs) < n; {
		m, err := cons.Next(jetstream.FetchContext(ctx))
		if err != nil {
			t.Fatalf("after %d runs: %v", len(runs), err)
		}
		id := m.Headers().Get("Task-Id")
		ns, err1 := strconv.ParseInt(id[strings.LastIndexByte(id, '/')+1:], 10, 64)
		meta, err2 := m.Metadata()
		if err := errors.Join(err1, err2, m.DoubleAck(ctx)); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run{time.Unix(0, ns), meta.Timestamp})
	}
	return runs
}

// Five processes, whose clocks differ by hours, submit each time once, at that time of the server.
func TestRepeatByProcessesWithSkewedClocks(t *testing.T) {
	t.Parallel()
	s := serve(t, embed.Options{})
	const every = time.Second // longer than a busy machine pauses a process; see Repeat
	for i := range 5 {
		skew := time.Duration(i-2) * 7 * time.Hour
		clock := nats.WithClock(func() time.Time { return time.Now().Add(skew) })
		c := open(t, connect(t, s), clock, nats.WithLogger(testLog{t}))
		sch, err := nats.Repeat(soon(t), c, aligned(every), "cron job", i, nats.WithKind("k"))
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Until(sch.Next().Add(-skew)); d.Abs() > quickly {
			t.Errorf("process %d: the next time is in %v", i, d)
		}
	}
	runs := consume(t, connect(t, s), "k", 5)
	for i, r := range runs {
		if !r.due.Equal(r.due.Truncate(every)) {
			t.Errorf("run %d is due at %v, which is no time of the timetable", i, r.due)
		}
		if late := r.at.Sub(r.due); late.Abs() > quickly { // the skew is hours
			t.Errorf("run %d came %v after its time", i, late)
		}
		if i > 0 && !r.due.After(runs[i-1].due) {
			t.Errorf("run %d is due at %v, and run %d at %v", i, r.due, i-1, runs[i-1].due)
		}
	}
}

// Processes that begin at different times agree on the times of an interval.
func TestRepeatOfAnInterval(t *testing.T) {
	t.Parallel()
	s := serve(t, embed.Options{})
	const every, processes = 300 * time.Millisecond, 4
	for i := range processes {
		c := open(t, connect(t, s), nats.WithLogger(testLog{t}))
		// Each begins at another phase of the interval: its first time is later by a part of it.
		first := true
		var mu sync.Mutex
		_, err := nats.Repeat(soon(t), c, timetable(func(after time.Time) time.Time {
			mu.Lock()
			defer mu.Unlock()
			if first {
				first = false
				return after.Add(time.Duration(i+1) * every / 4)
			}
			return after.Add(every)
		}), "a", i, nats.WithKind("k"))
		if err != nil {
			t.Fatal(err)
		}
	}
	// When nothing has run yet, each may submit a task at its own first time, before it knows of the others.
	runs := consume(t, connect(t, s), "k", 2*processes)
	for i := processes + 1; i < len(runs); i++ {
		if d := runs[i].due.Sub(runs[i-1].due); d < every {
			t.Errorf("run %d is due %v after the one before", i, d)
		}
	}
}

func TestRepeatSkipsWhileATaskIsOutstanding(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	marks, err := streams(t, nc).KeyValue(soon(t), "tasks_CRON")
	if err != nil {
		t.Fatal(err)
	}
	w, err := marks.Watch(soon(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Stop() }()
	if _, err := nats.Repeat(soon(t), c, aligned(50*time.Millisecond), "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 5; {
		select {
		case e := <-w.Updates():
			if e != nil {
				n++
			}
		case <-soon(t).Done():
			t.Fatal("the mark does not move")
		}
	}
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	info, err := st.Info(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 1 || info.State.LastSeq != 1 {
		t.Errorf("the stream has %+v, want one task", info.State)
	}
}

func TestRepeatEnds(t *testing.T) {
	c := client(t)
	k := nats.WithKind("k")
	far := aligned(24 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	byContext, err1 := nats.Repeat(ctx, c, far, "a", 1, k)
	byStop, err2 := nats.Repeat(soon(t), c, far, "b", 1, k)
	byClose, err3 := nats.Repeat(soon(t), c, far, "c", 1, k)
	calls := 0
	byTimetable, err4 := nats.Repeat(soon(t), c, timetable(func(after time.Time) time.Time {
		if calls++; calls > 3 {
			return time.Time{}
		}
		return after.Add(time.Millisecond)
	}), "d", 1, k)
	panics := 0
	byPanic, err5 := nats.Repeat(soon(t), c, timetable(func(after time.Time) time.Time {
		if panics++; panics > 3 {
			panic("no more")
		}
		return after.Add(time.Millisecond)
	}), "e", 1, k)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	if byStop.Name() != "b" || byStop.Next().IsZero() {
		t.Errorf("schedule %q is due at %v", byStop.Name(), byStop.Next())
	}
	over := func(what string, s *nats.Schedule) {
		t.Helper()
		select {
		case <-s.Done():
		case <-soon(t).Done():
			t.Fatalf("%s did not end the schedule", what)
		}
		if !s.Next().IsZero() {
			t.Errorf("%s: there is a next time", what)
		}
	}
	over("the end of the timetable", byTimetable)
	over("a panic", byPanic)
	stop()
	over("the end of the context", byContext)
	byStop.Stop()
	byStop.Stop()
	over("Stop", byStop)
	c.Close()
	over("Close", byClose)
	if _, err := nats.Repeat(soon(t), c, far, "f", 1, k); !errors.Is(err, nats.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestRepeatRefusesBadInput(t *testing.T) {
	c := client(t)
	k, far := nats.WithKind("k"), aligned(time.Hour)
	call := func(times timetable, name string, opts ...nats.SubmitOption) error {
		_, err := nats.Repeat(soon(t), c, times, name, 1, opts...)
		return err
	}
	for what, err := range map[string]error{
		"no kind":       call(far.Next, "a"),
		"no name":       call(far.Next, "", k),
		"id":            call(far.Next, "a", k, nats.WithID("x")),
		"delay":         call(far.Next, "a", k, nats.WithDelay(1)),
		"begin":         call(far.Next, "a", k, nats.WithNotBefore(time.Now())),
		"deadline":      call(far.Next, "a", k, nats.WithDeadline(time.Now())),
		"past":          call(func(after time.Time) time.Time { return after }, "a", k),
		"panic":         call(func(time.Time) time.Time { panic("x") }, "a", k),
		"nil timetable": second(nats.Repeat(soon(t), c, nil, "a", 1, k)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	s, err := nats.Repeat(soon(t), c, timetable(func(time.Time) time.Time { return time.Time{} }), "a", 1, k)
	if err != nil {
		t.Fatal(err)
	}
	<-s.Done() // an empty timetable
}

// While the server cannot be reached, the schedule goes on trying, and each time is submitted once.
func TestRepeatThroughALostConnection(t *testing.T) {
	t.Parallel()
	c, p, _, direct := behind(t, nats.WithLogger(testLog{t}))
	if _, err := nats.Repeat(soon(t), c, aligned(100*time.Millisecond), "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	var due []time.Time
	for range 5 {
		for _, r := range consume(t, direct, "k", 1) {
			due = append(due, r.due)
		}
		p.Cut()
	}
	if !slices.IsSortedFunc(due, time.Time.Compare) || len(slices.Compact(due)) != 5 {
		t.Errorf("the runs are due at %s", fmt.Sprint(due))
	}
}

// A time whose mark cannot be moved is submitted once all the same, although the server forgets the id.
func TestRepeatWithoutAMark(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithLogger(testLog{t}))
	js := streams(t, nc)
	tasks, cron := config(t, js, "tasks"), config(t, js, "KV_tasks_CRON")
	tasks.Duplicates, cron.MaxMsgSize = 100*time.Millisecond, 1
	for _, cfg := range []jetstream.StreamConfig{tasks, cron} {
		if _, err := js.UpdateStream(soon(t), cfg); err != nil {
			t.Fatal(err)
		}
	}
	marks := listenTo(t, nc, "$KV.tasks_CRON.a")
	var mu sync.Mutex
	var start time.Time // the only time of today
	if _, err := nats.Repeat(soon(t), c, timetable(func(after time.Time) time.Time {
		mu.Lock()
		defer mu.Unlock()
		if start.IsZero() {
			start = after.Add(200 * time.Millisecond)
		}
		if after.Before(start) {
			return start
		}
		return after.Add(time.Hour)
	}), "a", 1, nats.WithKind("k")); err != nil {
		t.Fatal(err)
	}
	consume(t, nc, "k", 1)
	ended := time.Now()
	// By then the server has forgotten the id, and the schedule has tried again, several times.
	for n := 0; n < 5 || time.Since(ended) < 2*tasks.Duplicates; n++ {
		next(t, "the schedule moves its mark", marks)
	}
	st, err := js.Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if n := st.CachedInfo().State.LastSeq; n != 1 {
		t.Errorf("%d tasks were submitted, want 1", n)
	}
}
