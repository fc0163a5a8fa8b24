package names

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// TestNothingIsDeferredForLong: entries of tasks that have ended leave within two sweep intervals,
// though nothing is added and no further task ends, and the tasks are collected.
func TestNothingIsDeferredForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tasks := range []int{1, batchSize - 1, batchSize, 5*batchSize + 1, mostDeferred + 1} {
			table := newTable()
			ended := make([]weak.Pointer[task], tasks)
			for i := range ended {
				x := &task{name: strconv.Itoa(i), worker: int32(i)}
				mustAdd(t, table, x)
				finish(table, x)
				ended[i] = weak.Make(x)
			}
			if got := entriesOf(table); got == 0 {
				t.Errorf("no removal of %d tasks is deferred, so the test shows nothing", tasks)
			}
			time.Sleep(2 * sweepInterval)
			synctest.Wait()
			if got := entriesOf(table); got != 0 {
				t.Errorf("%d entries of %d tasks are left after %v", got, tasks, 2*sweepInterval)
			}
			runtime.GC()
			for i, p := range ended {
				if p.Value() != nil {
					t.Errorf("task %d of %d has not been collected", i, tasks)
				}
			}
			if table.ends.timer.set.Load() {
				t.Error("the timer is set though nothing is deferred")
			}
			table.Flush()
		}
	})
}

// TestSweepMissesNoBatch: a batch becomes full and is left to calls of Add while a sweep is past
// the full batches, but has not come to the buffer. Then nothing else happens.
func TestSweepMissesNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		finishOne := func(name string, worker int32) {
			x := &task{name: name, worker: worker}
			mustAdd(t, table, x)
			finish(table, x)
		}
		finishOne("in the first buffer", 0)
		for i := range batchSize - 1 {
			finishOne(fmt.Sprint("late ", i), 1)
		}
		late := &task{name: "late", worker: 1}
		mustAdd(t, table, late)
		full := make([]*task, batchSize) // the sweep has done with full batches when it has removed this one
		for i := range full {
			full[i] = &task{name: strconv.Itoa(i), worker: 2}
			mustAdd(t, table, full[i])
		}
		for _, x := range full {
			finish(table, x)
		}
		first := &table.ends.buffers[0]
		first.mu.Lock()
		first.old = true // the sweep takes it, and leaves nothing for which it would set the timer
		time.Sleep(sweepInterval)
		for removed := false; !removed; runtime.Gosched() {
			table.ends.mu.Lock()
			removed = len(table.ends.spare) > 0
			table.ends.mu.Unlock()
		}
		for range 100 { // the sweep asks for more full batches
			runtime.Gosched()
		}
		finish(table, late)
		first.mu.Unlock()
		time.Sleep(2 * sweepInterval)
		synctest.Wait()
		if got := entriesOf(table); got != 0 {
			t.Errorf("%d entries are left", got)
		}
		table.Flush()
	})
}

// TestSweepLeavesYoungBatches: a sweep leaves what has just been deferred to the next one, so that
// in a busy pool the submitters remove nearly all.
func TestSweepLeavesYoungBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		add := func(name string, worker int32) {
			x := &task{name: name, worker: worker}
			mustAdd(t, table, x)
			finish(table, x)
		}
		add("first", 1)
		time.Sleep(sweepInterval - 1)
		add("second", 2)
		for _, want := range []struct {
			after   time.Duration
			entries int
		}{{1, 2}, {sweepInterval - 1, 2}, {1, 0}, {10 * sweepInterval, 0}} {
			time.Sleep(want.after)
			synctest.Wait()
			if got := entriesOf(table); got != want.entries {
				t.Errorf("%d entries, want %d", got, want.entries)
			}
		}
	})
}

// TestSeldomEndsSetNoTimer: when tasks end seldom, most removals are at once, and so set no timer.
// When they end often again, removals are deferred.
func TestSeldomEndsSetNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		deferred := 0
		finishOne := func(i int) {
			x := &task{name: strconv.Itoa(i), worker: int32(i)}
			mustAdd(t, table, x)
			finish(table, x)
			if entriesOf(table) > 0 {
				deferred++
			}
		}
		const often = 10 * batchSize
		for i := range often {
			time.Sleep(4 * sweepInterval)
			finishOne(i)
		}
		if most := often/batchSize + 1; deferred < 1 || deferred > most {
			t.Errorf("%d of %d removals were deferred, want 1 to %d", deferred, often, most)
		}
		deferred = 0
		for i := range often {
			finishOne(i)
		}
		if deferred < often-batchSize {
			t.Errorf("%d of %d removals were deferred when tasks ended one after the other, want at least %d", deferred, often, often-batchSize)
		}
		table.Flush()
	})
}

// TestFlush: after Flush nothing is deferred, and no timer is set.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		for i := range 100 {
			x := &task{name: strconv.Itoa(i), worker: int32(i)}
			mustAdd(t, table, x)
			finish(table, x)
		}
		table.Flush()
		if got := entriesOf(table); got != 0 {
			t.Errorf("%d entries after Flush, want 0", got)
		}
		x := &task{name: "late"}
		mustAdd(t, table, x)
		finish(table, x)
		if got := entriesOf(table); got != 0 {
			t.Errorf("%d entries after a removal after Flush, want 0", got)
		}
		if table.ends.timer.set.Load() && table.ends.timer.timer.Stop() {
			t.Error("the timer is set after Flush")
		}
		table.Flush() // once more
	})
}

// TestFlushDuringRemovals: what other goroutines remove during a Flush is removed when they are
// done, without a timer.
func TestFlushDuringRemovals(t *testing.T) {
	for range 200 {
		table := newTable()
		tasks := make([]*task, 200)
		for i := range tasks {
			tasks[i] = &task{name: strconv.Itoa(i), worker: int32(i % 4)}
			mustAdd(t, table, tasks[i])
		}
		done := make(chan struct{})
		var next atomic.Int32
		for range 4 {
			go func() {
				for i := int(next.Add(1)) - 1; i < len(tasks); i = int(next.Add(1)) - 1 {
					finish(table, tasks[i])
				}
				done <- struct{}{}
			}()
		}
		table.Flush()
		for range 4 {
			<-done
		}
		if got := entriesOf(table); got != 0 {
			t.Fatalf("%d entries are left, want 0", got)
		}
	}
}

// TestMemoryComesBackWhileTasksStay: a table that has held many tasks and holds a few gives memory
// back, and the tasks that stay are found and removed at their new places.
func TestMemoryComesBackWhileTasksStay(t *testing.T) {
	const tasks, every = 100_000, 100
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		all := make([]*task, tasks)
		for i := range all {
			all[i] = &task{name: strconv.Itoa(i), worker: int32(i)}
			mustAdd(t, table, all[i])
		}
		for i, x := range all {
			if i%every != 0 {
				finish(table, x)
			}
		}
		time.Sleep(2 * sweepInterval)
		synctest.Wait()
		if tags, entries := size(table); entries > 2*shardCount*minTags || tags > 2*shardCount*minTags {
			t.Errorf("room for %d entries and %d tags for %d tasks, want at most %d", entries, tags, tasks/every, 2*shardCount*minTags)
		}
		for i, x := range all {
			if got := table.Lookup(x.name); (got == x) != (i%every == 0) {
				t.Fatalf("Lookup(%q) returned %p", x.name, got)
			}
		}
		for i, x := range all {
			if i%every == 0 {
				finish(table, x)
			}
		}
		table.Flush()
		if got := entriesOf(table); got != 0 {
			t.Errorf("%d entries are left, want 0", got)
		}
	})
}

// TestCompactionDuringEnds: tasks end while the table moves their entries. No entry is left behind.
func TestCompactionDuringEnds(t *testing.T) {
	for range 50 {
		table := newTable()
		all := make([]*task, 3000)
		for i, name := range crowd(table, len(all)) {
			all[i] = &task{name: name, worker: int32(i)}
			mustAdd(t, table, all[i])
		}
		for _, x := range all[:2800] {
			finish(table, x)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, x := range all[2800:] {
				finish(table, x)
			}
		}()
		table.sweepBuffers(true)
		table.sweepBuffers(true)
		<-done
		table.Flush()
		if got := entriesOf(table); got != 0 || !table.Empty() {
			t.Fatalf("%d entries are left, want 0", got)
		}
	}
}
