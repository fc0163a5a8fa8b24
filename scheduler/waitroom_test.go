package scheduler_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// roomCall is a call of WaitRoom.
type roomCall struct {
	ahead  int
	cancel context.CancelFunc
	n      int
	err    error
	done   chan struct{} // closed when n and err are set
}

// callWaitRoom starts a call of WaitRoom on its own goroutine, and waits until the pool settles.
func callWaitRoom(p *scheduler.Pool[*job], ahead int) *roomCall {
	ctx, cancel := context.WithCancel(context.Background())
	c := &roomCall{ahead: ahead, cancel: cancel, done: make(chan struct{})}
	go func() {
		c.n, c.err = p.WaitRoom(ctx, ahead)
		close(c.done)
	}()
	synctest.Wait()
	return c
}

func (c *roomCall) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wantRoom checks the result of a call; 0 stands for a call that still waits.
func wantRoom(t *testing.T, c *roomCall, n int) {
	t.Helper()
	synctest.Wait()
	if !c.over() {
		check.Equal(t, "room, and the call waits", 0, n)
		return
	}
	check.Is(t, "WaitRoom", c.err, nil)
	check.Equal(t, "room", c.n, n)
}

// waitRoom starts a call in the machine.
func (m *machine) waitRoom(t *rapid.T) {
	m.rooms = append(m.rooms, callWaitRoom(m.pool, rapid.IntRange(0, 4).Draw(t, "ahead")))
}

// roomIn is the definition of room, from the model.
func (m *machine) roomIn(ahead int) int {
	if m.model.paused {
		return 0
	}
	if m.model.limit != 0 {
		ahead = min(ahead, max(m.model.limit, 0))
	}
	return m.model.max + ahead - len(m.model.busy) - m.model.queued() - m.model.blocked()
}

// checkRooms checks that the calls that wait do so for lack of room.
func (m *machine) checkRooms(t *rapid.T) {
	left := m.rooms[:0]
	for _, c := range m.rooms {
		room := m.roomIn(c.ahead)
		switch {
		case c.over() && (c.err != nil || c.n < 1):
			t.Fatalf("WaitRoom(%d) returned %d, %v", c.ahead, c.n, c.err)
		case c.over() != (room > 0):
			t.Fatalf("WaitRoom(%d) has returned: %v, and the room is %d", c.ahead, c.over(), room)
		case !c.over():
			left = append(left, c)
		}
	}
	m.rooms = left
}

// checkNoRoom checks that the end of the pool has ended the calls.
func (m *machine) checkNoRoom(t *rapid.T) {
	for _, c := range m.rooms {
		if !c.over() || !errors.Is(c.err, scheduler.ErrStopped) {
			t.Fatalf("WaitRoom(%d) has returned: %v, with %v; want ErrStopped", c.ahead, c.over(), c.err)
		}
	}
}

func TestWaitRoomCountsWorkersAndPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 0, Max: 2})
		defer r.close(t)
		wantRoom(t, callWaitRoom(r.pool, 0), 2)
		wantRoom(t, callWaitRoom(r.pool, 3), 5)
		js := newJobs(4)
		mustSubmit(t, r.pool, js...)
		none, one := callWaitRoom(r.pool, 2), callWaitRoom(r.pool, 3)
		wantRoom(t, one, 1)
		wantRoom(t, none, 0)
		js[0].end <- returns
		wantRoom(t, none, 1)
		none = callWaitRoom(r.pool, 0)
		js[1].end <- returns
		wantRoom(t, none, 0)
		js[2].end <- panics
		wantRoom(t, none, 1)
		js[3].end <- returns
	})
}

func TestWaitRoomEndsWhenRoomAppears(t *testing.T) {
	for name, makeRoom := range map[string]func(t *testing.T, p *scheduler.Pool[*job], js []*job){
		"a withdrawal": func(_ *testing.T, p *scheduler.Pool[*job], js []*job) { js[1].gone.Store(true); p.Withdraw() },
		"a larger maximum": func(t *testing.T, p *scheduler.Pool[*job], _ []*job) {
			check.Is(t, "Resize", p.Resize(0, 2), nil)
		},
		"a lent slot": func(t *testing.T, p *scheduler.Pool[*job], _ []*job) {
			p.Lend(1, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Min: 0, Max: 1})
				js := newJobs(2)
				mustSubmit(t, r.pool, js...)
				c := callWaitRoom(r.pool, 1)
				wantRoom(t, c, 0)
				makeRoom(t, r.pool, js)
				synctest.Wait()
				wantRoom(t, c, 1)
				c.cancel()
				r.close(t)
			})
		})
	}
}

func TestWaitRoomEndsWhenItemsAreShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Queue: queue.CoDel[*job](queue.CoDelConfig{})})
		js := newJobs(50)
		mustSubmit(t, r.pool, js...)
		c := callWaitRoom(r.pool, 39) // there is room when 11 items are gone
		for _, j := range js {
			time.Sleep(time.Second)
			j.end <- returns
			synctest.Wait()
			s := r.pool.Snapshot()
			if room := 1 + 39 - s.Busy - s.Queued; c.over() != (room > 0) {
				t.Fatalf("the room is %d, and WaitRoom has returned: %v", room, c.over())
			}
		}
		if r.pool.Snapshot().Shed == 0 {
			t.Error("no item was shed")
		}
		r.close(t)
	})
}

func TestWaitRoomFindsNoneDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		defer r.close(t)
		r.pool.Pause()
		c := callWaitRoom(r.pool, 5)
		wantRoom(t, c, 0)
		r.pool.Resume()
		wantRoom(t, c, 6)
	})
}

func TestWaitRoomFollowsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: 2})
		defer r.close(t)
		wantRoom(t, callWaitRoom(r.pool, 5), 3)
		mustSubmit(t, r.pool, newJobs(3)...)
		waits := make(chan error, 1)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { waits <- r.pool.Submit(ctx, newJob(9)) }()
		c := callWaitRoom(r.pool, 2)
		wantRoom(t, c, 0)
		cancel()
		check.Is(t, "the submit that gives up", <-waits, context.Canceled)
		wantRoom(t, c, 0)
		other := newRig(t, scheduler.Config[*job]{Max: 1, Limit: scheduler.HandOver})
		wantRoom(t, callWaitRoom(other.pool, 5), 1)
		other.close(t)
		c.cancel()
	})
}

// TestWaitRoomFindsNoneWhileHeldItemsFillTheLimit: a submit is then refused, although a worker is free.
func TestWaitRoomFindsNoneWhileHeldItemsFillTheLimit(t *testing.T) {
	for _, limit := range []int{scheduler.HandOver, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{
				Max: 4, Limit: limit, Overflow: scheduler.Reject,
				Queue: queue.LimitByKey(1, func(*job) int { return 0 }, nil),
			})
			defer r.close(t)
			js := newJobs(1 + max(limit, 1))
			mustSubmit(t, r.pool, js...) // one runs, and the others are held back
			check.Is(t, "a submit", r.pool.TrySubmit(newJob(9)), scheduler.ErrQueueFull)
			c := callWaitRoom(r.pool, 4)
			wantRoom(t, c, 0)
			js[0].end <- returns
			wantRoom(t, c, 4-1-(len(js)-2)+max(limit, 0))
			check.Is(t, "a submit", r.pool.TrySubmit(newJob(9)), nil)
			for _, j := range js[1:] {
				j.end <- returns
			}
		})
	}
}

func TestWaitRoomObeysAFirmDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var target atomic.Int64
		target.Store(1)
		r := newRig(t, scheduler.Config[*job]{Max: 4, Scaler: scalerFunc(func(scale.Snapshot) scale.Decision {
			return scale.Decision{Target: int(target.Load()), Firm: true, Again: time.Second}
		})})
		defer r.close(t)
		j := newJob(1)
		mustSubmit(t, r.pool, j)
		synctest.Wait()
		c := callWaitRoom(r.pool, 0)
		wantRoom(t, c, 0)
		target.Store(3)
		time.Sleep(2 * time.Second)
		wantRoom(t, c, 2)
	})
}

func TestWaitRoomErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1})
		ctx, cancel := context.WithCancelCause(context.Background())
		//nolint:staticcheck // a nil context is what is tested
		_, err := r.pool.WaitRoom(nil, 0)
		check.Is(t, "WaitRoom(nil)", err, scheduler.ErrNilContext)
		_, err = r.pool.WaitRoom(ctx, -1)
		check.Equal(t, "WaitRoom(-1)", err.Error(), "scheduler: WaitRoom: ahead is -1; it must be 0 or more")
		why := errors.New("why")
		cancel(why)
		_, err = r.pool.WaitRoom(ctx, 0)
		check.Is(t, "WaitRoom with an ended context", err, why)
		mustSubmit(t, r.pool, newJob(1))
		keeps, stops := callWaitRoom(r.pool, 0), callWaitRoom(r.pool, 0)
		keeps.cancel()
		synctest.Wait()
		check.Is(t, "WaitRoom whose context ends", keeps.err, context.Canceled)
		r.pool.KeepItems()
		synctest.Wait()
		check.Is(t, "WaitRoom after KeepItems", stops.err, scheduler.ErrStopped)
		r.close(t)
		_, err = r.pool.WaitRoom(context.Background(), 0)
		check.Is(t, "WaitRoom after Stop", err, scheduler.ErrStopped)
	})
}

// TestWaitRoomWithHugeNumbers: the sum of the room for items exceeds an int.
func TestWaitRoomWithHugeNumbers(t *testing.T) {
	for _, ahead := range []int{1, math.MaxInt32, math.MaxInt} {
		for _, most := range []int{4, scheduler.NoMaximum} {
			synctest.Test(t, func(t *testing.T) {
				n, err := newRig(t, scheduler.Config[*job]{Max: most}).pool.WaitRoom(t.Context(), ahead)
				if err != nil || n <= ahead && ahead < math.MaxInt32 || n < math.MaxInt32 && ahead >= math.MaxInt32 {
					t.Errorf("%d ahead, at most %d workers: room for %d, %v", ahead, most, n, err)
				}
			})
		}
	}
}

// TestWaitRoomThatIsGivenUp: the pool takes its shortcuts again once no call waits for room.
func TestWaitRoomThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1})
		mustSubmit(t, r.pool, newJob(1))
		check.Equal(t, "plain before", r.pool.Plain(), true)
		first, second := callWaitRoom(r.pool, 0), callWaitRoom(r.pool, 0)
		check.Equal(t, "plain during two calls", r.pool.Plain(), false)
		first.cancel()
		synctest.Wait()
		check.Equal(t, "plain during one call", r.pool.Plain(), false)
		second.cancel()
		synctest.Wait()
		check.Equal(t, "plain afterwards", r.pool.Plain(), true)
		r.close(t)
	})
}
