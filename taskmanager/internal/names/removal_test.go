package names

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"
)

// entriesOf counts the entries in use, of outstanding tasks and of ended ones.
func entriesOf(table *Table[task]) (entries int) {
	for i := range table.shards {
		s := &table.shards[i]
		s.mu.Lock()
		entries += s.n
		s.mu.Unlock()
	}
	return entries
}

func mustAdd(t *testing.T, table *Table[task], x *task) {
	t.Helper()
	if err := table.Add(x.name, x, &x.place); err != nil {
		t.Fatalf("Add(%q) returned %v, want nil", x.name, err)
	}
}

const mostDeferred = (buffers + maxFull) * batchSize

// TestRemovalIsDeferredWithinLimits: only a limited number of stale entries stay, whether
// additions come in between, which remove them, or not; and no ended task stays in memory.
func TestRemovalIsDeferredWithinLimits(t *testing.T) {
	const tasks = 20_000
	for _, workers := range []int{1, 2, 1000} {
		for _, atOnce := range []int{1, 1000, tasks} {
			t.Run(fmt.Sprint(workers, " workers, ", atOnce, " at once"), func(t *testing.T) {
				table := newTable()
				first := weak.Make(&task{name: "first"})
				mustAdd(t, table, first.Value())
				finish(table, first.Value())
				batch := make([]*task, atOnce)
				for done := 0; done < tasks; done += atOnce {
					for i := range batch {
						batch[i] = &task{name: strconv.Itoa(done + i), worker: int32((done + i) % workers)}
						mustAdd(t, table, batch[i])
					}
					for _, x := range batch {
						finish(table, x)
					}
				}
				if got := entriesOf(table); got > mostDeferred {
					t.Errorf("%d entries for no tasks, want at most %d", got, mostDeferred)
				}
				if left := slices.Collect(table.All()); !table.Empty() || table.Some() != nil || len(left) != 0 {
					t.Error("tasks that have ended are found")
				}
				runtime.GC()
				if first.Value() != nil {
					t.Error("the first task has not been collected")
				}
				runtime.KeepAlive(table)
			})
		}
	}
}

// TestAddRemovesAFullBatch, one at a time, and a removed batch keeps no link in memory.
func TestAddRemovesAFullBatch(t *testing.T) { synctest.Test(t, addRemovesAFullBatch) }

func addRemovesAFullBatch(t *testing.T) {
	const full = 3
	table := newTable()
	tasks := make([]*task, full*batchSize)
	for i := range tasks {
		tasks[i] = &task{name: strconv.Itoa(i)}
		mustAdd(t, table, tasks[i])
	}
	for _, x := range tasks {
		finish(table, x)
	}
	for i := range full {
		if got, want := entriesOf(table), (full-i)*batchSize+i; got != want {
			t.Errorf("%d entries after %d more additions, want %d", got, i, want)
		}
		mustAdd(t, table, &task{name: fmt.Sprint("more", i)})
	}
	if got := len(table.ends.spare); got != full {
		t.Errorf("%d spare batches, want %d", got, full)
	}
	for _, b := range table.ends.spare {
		if b.n != 0 {
			t.Errorf("a spare batch has %d places, want none", b.n)
		}
	}
}

// TestOneNameAgainAndAgain: a name whose tasks end on many workers has one entry, however
// many removals are deferred.
func TestOneNameAgainAndAgain(t *testing.T) { synctest.Test(t, oneNameAgainAndAgain) }

func oneNameAgainAndAgain(t *testing.T) {
	table := newTable()
	shard := table.keyOf("again").shard
	for i := range int32(10_000) {
		x := &task{name: "again", worker: i}
		mustAdd(t, table, x)
		if got := table.shards[shard].n; got != 1 {
			t.Fatalf("task %d of one name has %d entries, want 1", i, got)
		}
		if table.Lookup("again") != x {
			t.Fatalf("task %d is not found", i)
		}
		finish(table, x)
		if got := table.Lookup("again"); got != nil {
			t.Fatalf("task %d is found after its end", i)
		}
	}
	if !table.Empty() {
		t.Error("a table without outstanding tasks is not empty")
	}
}

// TestRemovalAddsNoTask: a removal does not count as an addition, so Empty need not look
// again.
func TestRemovalAddsNoTask(t *testing.T) { synctest.Test(t, removalAddsNoTask) }

func removalAddsNoTask(t *testing.T) {
	table := newTable()
	for i, name := range crowd(table, 2000) {
		mustAdd(t, table, &task{name: name, worker: int32(i % buffers)})
	}
	added := func() (sum uint64) {
		for i := range table.shards {
			sum += table.shards[i].additions()
		}
		return sum
	}
	before := added()
	for x := range table.All() {
		finish(table, x)
	}
	for range maxFull {
		table.removeBatch()
	}
	if got := added(); got != before || before != 2000 {
		t.Errorf("%d tasks have been added, %d once they are removed, want 2000", before, got)
	}
}

// TestNameHasOneTaskAtATime while many goroutines fight for few names.
func TestNameHasOneTaskAtATime(t *testing.T) {
	const goroutines, rounds, few = 8, 20_000, 3
	table := newTable()
	var holders [few]atomic.Pointer[task]
	var refused atomic.Int64
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range rounds {
				which := (g + i) % few
				x := &task{name: strconv.Itoa(which), worker: int32(g)}
				if table.Add(x.name, x, &x.place) != nil {
					refused.Add(1)
					continue
				}
				if other := holders[which].Swap(x); other != nil {
					t.Errorf("two tasks have the name %d", which)
				}
				if got := table.Lookup(x.name); got != x {
					t.Errorf("the task of name %d is %p, want %p", which, got, x)
				}
				holders[which].Store(nil)
				finish(table, x)
				if table.Lookup(x.name) == x {
					t.Errorf("the task of name %d is found after its end", which)
				}
			}
		})
	}
	all.Wait()
	if refused.Load() == goroutines*rounds || !table.Empty() || table.Some() != nil {
		t.Errorf("%d of %d refused; %d tasks are left", refused.Load(), goroutines*rounds, len(slices.Collect(table.All())))
	}
	for which := range few { // one entry each, or none
		mustAdd(t, table, &task{name: strconv.Itoa(which)})
	}
}

// TestNameIsFreeOnceItsEndIsKnown to any goroutine, and the end is known once the name is
// free. Neither need be the one that ends the task.
func TestNameIsFreeOnceItsEndIsKnown(t *testing.T) {
	table := newTable()
	ended := make(chan *task)
	var worker sync.WaitGroup
	worker.Go(func() {
		for x := range ended {
			finish(table, x)
		}
	})
	for i := range 20_000 {
		x := &task{name: "again"}
		mustAdd(t, table, x)
		ended <- x
		switch i % 3 {
		case 0:
			for !x.ended() {
				runtime.Gosched()
			}
		case 1:
			for table.Lookup(x.name) != nil {
				runtime.Gosched()
			}
		case 2:
			for !table.Empty() {
				runtime.Gosched()
			}
		}
		if got := table.Lookup("again"); got != nil {
			t.Error("a task is found after its end")
		}
		if !x.ended() {
			t.Error("a name is free before its task has ended")
		}
	}
	close(ended)
	worker.Wait()
}

// TestEmptyNeedsAMoment without tasks. Each task ends only after the next one was added, so
// there is none.
func TestEmptyNeedsAMoment(t *testing.T) {
	const rounds = 20_000
	table := newTable()
	first := &task{name: "first"}
	mustAdd(t, table, first)
	var stop atomic.Bool
	var looking sync.WaitGroup
	var looks, found atomic.Int64
	looking.Go(func() {
		for !stop.Load() {
			if table.Empty() {
				t.Error("Empty returned true, with a task outstanding at each moment")
			}
			if table.Some() != nil {
				found.Add(1)
			}
			looks.Add(1)
		}
	})
	last := first
	for i := 0; i < rounds || looks.Load() == 0; i++ {
		next := &task{name: strconv.Itoa(i), worker: int32(i)}
		mustAdd(t, table, next)
		finish(table, last)
		last = next
	}
	stop.Store(true)
	looking.Wait()
	finish(table, last)
	if !table.Empty() {
		t.Error("Empty returned false after the end of all tasks")
	}
	t.Logf("%d looks, of which %d found a task", looks.Load(), found.Load())
}

// TestSuccessionLeavesNoMoment without a task of the name: each task ends in the step in which the next
// one gets its name.
func TestSuccessionLeavesNoMoment(t *testing.T) {
	const rounds = 20_000
	table := newTable()
	last := &task{name: "heir"}
	mustAdd(t, table, last)
	var stop atomic.Bool
	var looking sync.WaitGroup
	var looks atomic.Int64
	looking.Go(func() {
		for !stop.Load() {
			if table.Empty() {
				t.Error("Empty returned true, with a task outstanding at each moment")
			}
			if table.Lookup("heir") == nil {
				t.Error("the name was free")
			}
			if err := table.Add("heir", &task{name: "heir"}, new(Place)); !errors.Is(err, ErrTaken) {
				t.Errorf("Add returned %v", err)
			}
			looks.Add(1)
		}
	})
	for i := 0; i < rounds || looks.Load() == 0; i++ {
		next := &task{name: "heir"}
		if err := table.Join("heir", func(holder *task) bool { return holder == last }); err != nil {
			t.Fatal(err)
		}
		table.Succeed("heir", func() (*task, Place) {
			last.end()
			next.place = last.place
			return next, next.place
		})
		last = next
	}
	stop.Store(true)
	looking.Wait()
	finish(table, last)
	table.Flush()
	if entries := entriesOf(table); entries != 0 || !table.Empty() {
		t.Errorf("%d entries are left", entries)
	}
}

// TestListingDuringChanges: All lists each task that is outstanding from the beginning of the
// loop to its end, and no task that has ended before.
func TestListingDuringChanges(t *testing.T) {
	const rounds, kept = 200, 100
	table := newTable()
	stay := make(map[*task]bool, kept)
	for i := range kept {
		x := &task{name: "stay/" + strconv.Itoa(i)}
		mustAdd(t, table, x)
		stay[x] = true
	}
	old := make([]*task, kept)
	for i := range old {
		old[i] = &task{name: "old/" + strconv.Itoa(i)}
		mustAdd(t, table, old[i])
		finish(table, old[i])
	}
	var stop atomic.Bool
	var changing sync.WaitGroup
	for g := range 2 {
		changing.Go(func() {
			for i := 0; !stop.Load(); i++ {
				x := &task{name: fmt.Sprint("change/", g, "/", i%1000), worker: int32(g)}
				if table.Add(x.name, x, &x.place) == nil {
					finish(table, x)
				}
			}
		})
	}
	for range rounds {
		seen := 0
		for x := range table.All() {
			if stay[x] {
				seen++
			}
			if slices.Contains(old, x) {
				t.Errorf("All lists %q, which has ended before", x.name)
			}
		}
		if seen != kept {
			t.Errorf("All lists %d of the %d tasks that stay", seen, kept)
		}
	}
	stop.Store(true)
	changing.Wait()
}
