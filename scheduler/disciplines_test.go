package scheduler_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// shedder is a FIFO that gives up what has waited for more than a second. It
// cannot remove.
type shedder struct {
	items []*job
	at    []time.Time
	shed  []*job
	now   time.Time
}

func (q *shedder) NeedsTime() bool    { return true }
func (q *shedder) Tick(now time.Time) { q.now = now }
func (q *shedder) Len() int           { return len(q.items) }

func (q *shedder) Push(j *job) {
	q.items, q.at = append(q.items, j), append(q.at, q.now)
}

func (q *shedder) Pop() (*job, bool) {
	for len(q.items) > 0 {
		j, at := q.items[0], q.at[0]
		q.items, q.at = q.items[1:], q.at[1:]
		if q.now.Sub(at) <= time.Second {
			return j, true
		}
		q.shed = append(q.shed, j)
	}
	return nil, false
}

func (q *shedder) Discarded() (*job, bool, error) {
	if len(q.shed) == 0 {
		return nil, false, nil
	}
	j := q.shed[0]
	q.shed = q.shed[1:]
	return j, true, queue.ErrShed
}

func newShedder() queue.Queue[*job] { return new(shedder) }

func shedDrops(js ...*job) []drop {
	out := []drop{}
	for _, j := range js {
		out = append(out, drop{j.id, scheduler.ErrShed})
	}
	return out
}

func TestShedItemsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Queue: newShedder})
		js := newJobs(5)
		mustSubmit(t, r.pool, js[:4]...)
		synctest.Wait()
		js[2].gone.Store(true)
		r.pool.Withdraw()
		time.Sleep(2 * time.Second)
		mustSubmit(t, r.pool, js[4])
		js[0].end <- returns
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{5})
		check.Equal(t, "dropped", r.dropsByID(), shedDrops(js[1], js[3]))
		check.Equal(t, "snapshot", counts(r.pool.Snapshot()), scale.Snapshot{
			Min: 1, Max: 1, Workers: 1, Busy: 1, Submitted: 5, Started: 2, Completed: 1, Withdrawn: 1, Shed: 2,
		})
		js[4].end <- returns
		mustStop(t, r.pool)
	})
}

// TestSubmitFromDroppedIsNotForgotten checks that Dropped may submit a replacement for an
// item that was shed, and that a worker comes for it.
func TestSubmitFromDroppedIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		js := newJobs(3)
		var r *rig
		r = newRig(t, scheduler.Config[*job]{
			Min: 1, Max: 1, Queue: newShedder,
			Dropped: func(j *job, reason error) {
				if reason == scheduler.ErrShed { //nolint:errorlint // exactly this one is promised
					mustSubmit(t, r.pool, js[2])
				}
			},
		})
		defer r.close(t)
		mustSubmit(t, r.pool, js[:2]...)
		time.Sleep(2 * time.Second)
		js[0].end <- returns // sheds js[1], and leaves nothing to run
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{3})
	})
}

// TestSheddingMakesRoom checks that submitters get the room of items that were shed, also
// when Requeue has filled the queue beyond its limit.
func TestSheddingMakesRoom(t *testing.T) {
	for _, requeued := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: 1, Queue: newShedder})
			defer r.close(t)
			js := newJobs(6)
			mustSubmit(t, r.pool, js[:2]...)
			for _, j := range js[3 : 3+requeued] {
				check.Is(t, "Requeue", r.pool.Requeue(j, 0), nil)
			}
			time.Sleep(2 * time.Second)
			submitEach(t, r, js[2:3])
			js[0].end <- returns
			synctest.Wait()
			check.Equal(t, "dropped", r.dropsByID(), shedDrops(append(js[1:2:2], js[3:3+requeued]...)...))
			check.Equal(t, fmt.Sprintf("running, after %d too many were shed", requeued), r.running(), []int{3})
		})
	}
}

// TestStopLosesNothingThatIsShed checks items that the queue sheds in a Pop by Stop.
func TestStopLosesNothingThatIsShed(t *testing.T) {
	for _, minimum := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: minimum, Max: 1, Queue: newShedder})
			js := newJobs(4)
			r.pool.Pause()
			mustSubmit(t, r.pool, js[:3]...)
			time.Sleep(2 * time.Second)
			mustSubmit(t, r.pool, js[3]) // tells the queue the time
			mustStop(t, r.pool)
			s := r.pool.Snapshot()
			if told := len(r.dropsByID()); s.Shed+s.Dropped != 4 || told != 4 {
				t.Errorf("with %d workers: of 4 items %d are shed and %d dropped, and Dropped was told of %d",
					minimum, s.Shed, s.Dropped, told)
			}
		})
	}
}

func key(j *job) int { return j.id % 3 }

// TestOneAtATimePerKey checks that never two items of a key run, and that no worker is idle
// while an item may run. The items that must run follow from the submits: the oldest of
// each key, up to the number of workers.
func TestOneAtATimePerKey(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			workers := rapid.IntRange(1, 4).Draw(t, "workers")
			minimum := rapid.SampledFrom([]int{0, workers}).Draw(t, "min")
			r := newRig(t, scheduler.Config[*job]{Min: minimum, Max: workers, Queue: queue.LimitByKey(1, key, nil)})
			defer synctest.Wait()
			defer r.close(t)
			live := map[int]*job{}
			next := 0
			t.Repeat(map[string]func(*rapid.T){
				"submit": func(t *rapid.T) {
					next++
					live[next] = newJob(next)
					mustSubmit(t, r.pool, live[next])
				},
				"finish": func(t *rapid.T) {
					running := r.running()
					if len(running) == 0 {
						t.Skip("nothing runs")
					}
					id := rapid.SampledFrom(running).Draw(t, "item")
					live[id].end <- rapid.SampledFrom([]ending{returns, panics, exits}).Draw(t, "how")
					delete(live, id)
				},
				"withdraw": func(t *rapid.T) { withdrawQueued(t, r, live) },
				"": func(t *rapid.T) {
					synctest.Wait()
					checkKeys(t, r, live, workers)
				},
			})
		})
	})
}

func withdrawQueued(t *rapid.T, r *rig, live map[int]*job) {
	held := ids(outstanding(live))
	held = slices.DeleteFunc(held, func(id int) bool { return slices.Contains(r.running(), id) })
	if len(held) == 0 {
		t.Skip("nothing is queued")
	}
	id := rapid.SampledFrom(held).Draw(t, "item")
	live[id].gone.Store(true)
	r.pool.Withdraw()
	delete(live, id)
}

func checkKeys(t *rapid.T, r *rig, live map[int]*job, workers int) {
	t.Helper()
	running := r.running()
	keys, seen := map[int]bool{}, map[int]int{}
	for _, j := range outstanding(live) {
		keys[key(j)] = true
	}
	for _, id := range running {
		if live[id] == nil {
			t.Errorf("item %d runs, which was withdrawn or has ended", id)
			continue
		}
		if other := seen[key(live[id])]; other > 0 {
			t.Errorf("items %d and %d of one key run together", other, id)
		}
		seen[key(live[id])] = id
	}
	if want := min(len(keys), workers); len(running) != want {
		t.Errorf("%d items run with %d keys outstanding and %d workers; want %d", len(running), len(keys), workers, want)
	}
}

// strict is a FIFO that finds out about calls without the right time. It lets only
// one item of three in at once, so that Finish matters too.
type strict struct {
	queue.Queue[*job]
	t    tester
	told time.Time
}

func (q *strict) NeedsTime() bool            { return true }
func (q *strict) Tick(now time.Time)         { q.told = now }
func (q *strict) CanEvict(queue.Victim) bool { return true }

func (q *strict) check(call string) {
	q.t.Helper()
	if !q.told.Equal(time.Now()) {
		q.t.Errorf("%s was called %v after the last Tick", call, time.Since(q.told))
	}
}

func (q *strict) Push(j *job)       { q.check("Push"); q.Queue.Push(j) }
func (q *strict) Pop() (*job, bool) { q.check("Pop"); return q.Queue.Pop() }
func (q *strict) Finish(*job, bool) { q.check("Finish") }

func (q *strict) Evict(v queue.Victim) (*job, bool) {
	q.check("Evict")
	return q.Queue.(queue.Evictor[*job]).Evict(v)
}

func (q *strict) Remove(gone func(*job) bool) int {
	q.check("Remove")
	return q.Queue.(queue.Remover[*job]).Remove(gone)
}

// TestEveryCallIsTold checks that Tick comes before each other call of a queue that needs
// the time.
func TestEveryCallIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{
			Min: 1, Max: 1, Limit: 40, Overflow: scheduler.DropWorst,
			Queue: func() queue.Queue[*job] { return &strict{Queue: queue.NewFIFO[*job](), t: t} },
		})
		js := newJobs(60)
		for i, j := range js {
			time.Sleep(time.Second)
			mustSubmit(t, r.pool, j)
			if i%10 == 0 {
				j.end <- returns
			}
		}
		for _, j := range js[5:40] {
			time.Sleep(time.Second)
			if !j.gone.Swap(true) {
				r.pool.Withdraw() // sweeps in the end
			}
		}
		time.Sleep(time.Second)
		js[1].end <- panics
		time.Sleep(time.Second)
		js[2].end <- returns
		time.Sleep(time.Second)
		r.close(t)
	})
}

// TestNoWorkersForHeldItems checks that held items get no workers and take up room, and run
// when they may.
func TestNoWorkersForHeldItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := func(*job) int { return 1 }
		r := newRig(t, scheduler.Config[*job]{Max: 50, Limit: 5, Overflow: scheduler.Reject, Queue: queue.LimitByKey(2, one, nil)})
		js := newJobs(8)
		for _, j := range js[:7] {
			mustSubmit(t, r.pool, j)
			synctest.Wait() // otherwise the order of the two would be random
		}
		check.Is(t, "one more than two run and five wait", r.pool.TrySubmit(js[7]), scheduler.ErrQueueFull)
		s := r.pool.Snapshot()
		check.Equal(t, "workers, busy and queued", []int{s.Workers, s.Busy, s.Queued}, []int{2, 2, 5})
		for _, j := range js[:7] {
			j.end <- returns
			synctest.Wait()
		}
		check.Equal(t, "runs", r.ran(), []int{1, 2, 3, 4, 5, 6, 7})
		r.close(t)
	})
}

// TestNoWorkersForHeldItemsInTheMean checks that scalers that average do not see held
// items.
func TestNoWorkersForHeldItemsInTheMean(t *testing.T) {
	for name, s := range map[string]scale.Scaler[scale.Snapshot]{
		"Utilisation": scale.Utilisation(scale.UtilisationConfig{}),
		"TargetWait":  scale.TargetWait(scale.TargetWaitConfig{}),
	} {
		synctest.Test(t, func(t *testing.T) {
			p, err := scheduler.NewPool(scheduler.Config[int]{
				Min: 1, Max: 200, Scaler: s, Queue: queue.LimitByKey(1, func(i int) int { return i }, nil),
			}, func(int32, int) { time.Sleep(100 * time.Millisecond) })
			if err != nil {
				t.Fatal(err)
			}
			for range 300 {
				mustSubmit(t, p, 1)
			}
			for range 200 {
				mustSubmit(t, p, 2)
				time.Sleep(50 * time.Millisecond)
			}
			if n := p.Snapshot().Workers; n > 12 { // two are busy
				t.Errorf("%s has %d workers for two keys", name, n)
			}
			mustStop(t, p)
		})
	}
}
