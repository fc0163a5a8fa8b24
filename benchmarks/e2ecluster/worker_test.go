//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// between fails unless a duration is in a range.
func between(t *testing.T, what string, d, low, high time.Duration) {
	t.Helper()
	if d < low || d > high {
		t.Errorf("%s: %v, want %v to %v", what, d.Round(time.Millisecond), low, high)
	}
}

// since returns the time from one line or run to another.
func since(from, to int64) time.Duration { return time.Duration(to - from) }

// What a killed worker ran is delivered again when its lease ends, as the second attempt.
func TestWorkerKilled(t *testing.T) {
	c := launch(t, settings{})
	const n, stay = 120, 2
	victim := c.worker("w1", "-workers", "8")
	for i := range stay { // they run when the worker is killed
		c.submit(fmt.Sprint("stay/", i), job.Plain, job.Job{Stays: 1})
	}
	c.await(stay, ledger.Start, "")
	for i := range n {
		c.submit(fmt.Sprint("job/", i), job.Plain, job.Job{Work: time.Duration(50+i%8*15) * time.Millisecond})
	}
	c.worker("w2", "-workers", "8")
	c.until("w1 to be in the middle", func(context.Context) error {
		ended := ledger.Select(c.find(ledger.End, ""), func(l ledger.Line) bool { return l.Process == "w1" })
		if len(ended) < 10 {
			return fmt.Errorf("it ran %d", len(ended))
		}
		return nil
	})
	victim.kill()
	c.balance(patience)
	killed := ledger.Select(c.runs(""), func(r ledger.Run) bool { return r.How == ledger.Kill })
	if len(killed) < stay {
		t.Errorf("%d tasks ran when the worker was killed, want at least %d", len(killed), stay)
	}
	var longest time.Duration
	for _, r := range killed {
		again := ledger.Select(c.runs(r.Name), func(o ledger.Run) bool { return o.From > r.From })
		if len(again) != 1 || again[0].Attempt != 2 || again[0].How != ledger.End {
			t.Errorf("after the kill:\n%s", c.story(r.Name))
			continue
		}
		wait := since(r.To, again[0].From)
		longest = max(longest, wait)
		between(t, fmt.Sprintf("the second attempt of %q after the kill", r.Name), wait, 0, c.lease+5*time.Second)
		if after := since(r.From, again[0].From); after < c.lease-300*time.Millisecond {
			t.Errorf("the second attempt of %q starts %v after the first, and the lease is %v", r.Name, after, c.lease)
		}
	}
	t.Logf("%d tasks, %d ran when the worker was killed, second attempts up to %v after the kill (lease %v)", n+stay, len(killed), longest, c.lease)
}

// The holder of a task that cannot reach the server cancels it at 0.6 of the lease, before another worker starts it
// at the end of the lease. Once it can, it works on.
func TestPartition(t *testing.T) {
	c := launch(t, settings{lease: 4 * time.Second})
	w1, way := c.workerBehind("w1", "-workers", "1") // no room, so that it does not ask for more
	c.submit("cut", job.Plain, job.Job{Work: 6 * time.Second})
	c.await(1, ledger.Start, "cut")
	w2 := c.worker("w2")
	c.untilWithin(patience, "the lease to be extended", func(context.Context) error {
		if start := c.find(ledger.Start, "cut")[0]; time.Since(start.Time()) < c.lease/2 {
			return errors.New("not yet")
		}
		return nil
	})
	w1.note(ledger.Cut)
	cut := time.Now()
	way.Cut()
	lost := c.await(1, ledger.Cancelled, "cut")[0]
	if lost.Process != "w1" || !strings.Contains(lost.Text, "lease") {
		t.Errorf("cancelled: %v", lost)
	}
	// The last extension before the cut was sent up to a quarter of the lease before.
	between(t, "the holder cancels after the cut", lost.Time().Sub(cut), c.lease*3/10, c.lease*9/10)
	next := c.await(2, ledger.Start, "cut")[1]
	between(t, "the other worker starts after that", next.Time().Sub(lost.Time()), 0, c.lease*4/10+5*time.Second)
	if next.Process != "w2" || next.Attempt != 2 {
		t.Errorf("next: %v", next)
	}
	w1.note(ledger.Mend)
	way.Mend()
	c.balance(patience)
	w2.kill()
	c.submit("after", job.Plain, job.Job{})
	c.balance(patience)
	if r := c.runs("after"); len(r) != 1 || r[0].Process != "w1" {
		t.Errorf("after the partition:\n%s", c.story("after"))
	}
	t.Logf("lease %v: cancelled %v after the cut, started elsewhere %v after that", c.lease, lost.Time().Sub(cut), next.Time().Sub(lost.Time()))
}

// What was on its way to a worker that cannot be reached is run by another one, and not by the first when it arrives late.
func TestLateDelivery(t *testing.T) {
	c := launch(t, settings{})
	w1, way := c.workerBehind("w1")
	c.submit("before", job.Plain, job.Job{})
	c.balance(patience) // the worker works, and waits for more
	w1.note(ledger.Cut)
	way.Cut()
	c.submit("late", job.Plain, job.Job{Work: 4 * time.Second})
	c.awaitDeliveries(1, "w_normal_job")
	c.worker("w2")
	start := c.await(1, ledger.Start, "late")[0]
	w1.note(ledger.Mend)
	way.Mend()
	c.balance(patience)
	if runs := c.runs("late"); len(runs) != 1 || runs[0].Process != "w2" {
		t.Errorf("want one execution, on w2:\n%s", c.story("late"))
	}
	delivered := c.find(ledger.Accepted, "late")[0]
	between(t, "the start after the submit", start.Time().Sub(delivered.Time()), c.lease-200*time.Millisecond, 2*c.lease+3*time.Second)
	t.Logf("delivered to a worker that was cut off; started elsewhere %v later, as attempt %d", start.Time().Sub(delivered.Time()), start.Attempt)
}

// A process that stands still for longer than its lease cannot cancel what it runs: the executions overlap. What
// the first one reports later has no effect: the task stays until the second one has ended. Nor does the process
// run what was delivered to it while it stood still.
func TestFrozenWorker(t *testing.T) {
	c := launch(t, settings{})
	w1 := c.worker("w1")
	c.submit("frozen", job.Plain, job.Job{Work: 5 * time.Second, Stubborn: true})
	c.await(1, ledger.Start, "frozen")
	c.awaitRequest("w_normal_job")
	w1.freeze()
	c.submit("meanwhile", job.Plain, job.Job{})
	c.awaitDeliveries(2, "w_normal_job")
	c.worker("w2")
	second := c.await(2, ledger.Start, "frozen")[1]
	if second.Process != "w2" {
		t.Errorf("the second start: %v", second)
	}
	c.await(1, ledger.End, "meanwhile") // its lease is over: from now on, the first process must not run it
	w1.thaw()
	first := c.await(1, ledger.End, "frozen")[0]
	if first.Process != "w1" {
		t.Fatalf("w1 should end first: %v", first)
	}
	c.until("the second execution to end", func(ctx context.Context) error {
		info, err := c.stored(ctx)
		if err != nil {
			return err
		}
		if len(c.find(ledger.End, "frozen")) == 2 {
			return nil
		}
		if info.State.Msgs == 0 {
			t.Fatalf("the late end of the frozen worker ended the task, while another worker runs it:\n%s", c.story("frozen"))
		}
		return errors.New("it goes on")
	})
	c.balance(patience)
	runs := c.runs("frozen")
	if len(runs) != 2 || runs[0].How != ledger.End || runs[1].How != ledger.End || runs[1].From > runs[0].To {
		t.Errorf("want two executions that overlap:\n%s", c.story("frozen"))
	}
	if runs := c.runs("meanwhile"); len(runs) != 1 || runs[0].Process != "w2" {
		t.Errorf("want one execution, on w2:\n%s", c.story("meanwhile"))
	}
	t.Logf("overlap of %v, as documented", since(runs[1].From, runs[0].To))
}

// A worker that drains completes what ends in time, gives back the rest without waiting for the lease, and
// that is no crash.
func TestDrain(t *testing.T) {
	c := launch(t, settings{lease: 30 * time.Second, crashes: 1})
	w1 := c.worker("w1", "-workers", "6", "-grace", "2s")
	for i := range 3 {
		c.submit(fmt.Sprint("long/", i), job.Plain, job.Job{Work: 6 * time.Second})
		c.submit(fmt.Sprint("short/", i), job.Plain, job.Job{Work: 700 * time.Millisecond})
	}
	c.await(6, ledger.Start, "")
	c.worker("w2", "-workers", "6")
	asked := time.Now()
	w1.terminate()
	w1.wait()
	drained := time.Since(asked)
	between(t, "the worker ends", drained, 1900*time.Millisecond, 5*time.Second)
	if code := w1.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the worker ends with %d", code)
	}
	taken := c.await(9, ledger.Start, "")[8].Time().Sub(asked)
	between(t, "the other worker has taken over", taken, 0, 7*time.Second)
	c.balance(patience)
	for i := range 3 {
		if runs := c.runs(fmt.Sprint("long/", i)); len(runs) != 2 || runs[0].How != ledger.Cancelled || runs[1].Process != "w2" {
			t.Errorf("a long task:\n%s", c.story(fmt.Sprint("long/", i)))
		}
		if runs := c.runs(fmt.Sprint("short/", i)); len(runs) != 1 || runs[0].Process != "w1" {
			t.Errorf("a short task:\n%s", c.story(fmt.Sprint("short/", i)))
		}
	}
	if dead := c.deadLetters(); len(dead) != 0 {
		t.Errorf("dead letters: %v", dead)
	}
	t.Logf("grace 2s, lease %v: ended after %v, all taken over after %v", c.lease, drained, taken)
}

// Drain does not wait for a handler that ignores its context: it names the task, and the lease of the task ends.
func TestDrainOfAStubbornHandler(t *testing.T) {
	c := launch(t, settings{lease: 3 * time.Second})
	w1 := c.worker("w1", "-grace", "300ms")
	c.submit("stubborn", job.Plain, job.Job{Work: 5 * time.Second, Stubborn: true})
	c.await(1, ledger.Start, "stubborn")
	c.worker("w2")
	asked := time.Now()
	w1.terminate()
	w1.wait()
	took := time.Since(asked)
	between(t, "the worker ends", took, 300*time.Millisecond, 3*time.Second)
	notes := ledger.Select(c.find(ledger.Note, ""), func(l ledger.Line) bool { return strings.Contains(l.Text, "Drain") })
	if len(notes) != 1 || !strings.Contains(notes[0].Text, `"stubborn"`) {
		t.Errorf("Drain does not name the task: %v", notes)
	}
	c.balance(patience)
	runs := c.runs("stubborn")
	if len(runs) != 2 || runs[1].Process != "w2" || runs[1].How != ledger.End {
		t.Fatalf("the task:\n%s", c.story("stubborn"))
	}
	if runs[1].From < runs[0].To {
		t.Error("the executions overlap")
	}
	t.Logf("ended after %v with %q; attempt %d started %v later", took, notes[0].Text, runs[1].Attempt, since(runs[0].To, runs[1].From))
}

// Deliveries that a worker has no room for are given back, and are no crashes: with a limit of one crash, no task
// dies.
func TestSurplusIsNoCrash(t *testing.T) {
	c := launch(t, settings{crashes: 1, lease: 20 * time.Second})
	kinds := []string{job.Plain, job.Again, job.Keyed, job.Few}
	first := c.worker("w0", "-workers", "1")
	consumers := []string{"w_normal_job", "w_normal_again", "w_normal_keyed", "l_few"}
	for _, consumer := range consumers {
		c.awaitRequest(consumer)
	}
	first.freeze() // so that it is given one task of each kind, and has room for one of them
	for i, kind := range kinds {
		c.submit(fmt.Sprint("at-once/", i), kind, job.Job{Work: time.Second})
		c.awaitDeliveries(1, consumers[i])
	}
	first.thaw()
	for i := range 3 {
		c.worker(fmt.Sprint("w", i+1), "-workers", "1")
	}
	c.await(len(kinds), ledger.End, "") // all workers ask for tasks of all kinds again
	const n = 304
	for i := range n - len(kinds) {
		c.submit(fmt.Sprint("burst/", i), kinds[i%len(kinds)], job.Job{}, level(i))
	}
	c.balance(patience)
	for _, r := range c.runs("") {
		if r.Attempt != 1 {
			t.Errorf("attempt %d of %q", r.Attempt, r.Name)
		}
	}
	if dead := c.deadLetters(); len(dead) != 0 {
		t.Errorf("%d dead letters, the first for %s", len(dead), dead[0].Reason)
	}
	delivered := c.deliveries()
	if delivered <= n {
		t.Errorf("%d deliveries of %d tasks: no worker was given more than it had room for", delivered, n)
	}
	t.Logf("%d tasks of four kinds and three levels, %d deliveries, %d executions", n, delivered, len(c.runs("")))
}
