package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
)

// batch is one range over the result of Map. Two goroutines share it: the feeder reads items and
// submits their tasks, and the consumer, which runs the loop, takes the results.
type batch[T, R any] struct {
	ctx    context.Context
	m      *taskmanager.TaskManager
	name   string
	fn     func(ctx context.Context, item T) (R, error)
	cfg    config
	items  *hooks.Items
	inTask bool          // the consumer acts for a task
	news   chan struct{} // tells the consumer that what it waits for has happened
	room   chan struct{} // tells the feeder that it may read an item
	fed    chan struct{} // closed when the feeder has returned

	halted atomic.Bool // no more items are read; changed with mu held

	mu      sync.Mutex       // guards the rest, and the jobs; held without a call of package taskmanager
	flight  ring[*job[T, R]] // the items in flight, in order
	cut     int              // the items after this position are cancelled
	read    int              // items
	running int              // tasks that have not ended, and ends that are not reported yet
	done    int              // items that have ended
	over    bool             // the feeder has returned
	fault   error            // what ends the batch after the results of the items that were read
	told    int              // what the function of WithProgress was called with last
	telling bool             // it is being called, or has panicked
	waits   bool             // the consumer waits for news
	starved bool             // the feeder waits for room
}

// job is an item and its task. The handle is a part of it, so an item takes one allocation besides
// the options and the name of its task.
type job[T, R any] struct {
	handle  taskmanager.Handle
	watched hooks.Watched

	b        *batch[T, R]
	index    int
	prepared bool // the handle can be used
	item     T    // zero once the task has ended
	result   R    // written by each execution; final when the task has ended
	ending   bool // the task has ended, or its submit has failed
	over     bool // so, and the items after it are cancelled if that must be
	err      error
}

// Name returns the name of the batch.
func (j *job[T, R]) Name() string { return j.b.name }

// Execute calls the function.
func (j *job[T, R]) Execute(ctx context.Context) (err error) {
	j.result, err = j.b.fn(ctx, j.item)
	return err
}

// Items implements hooks.Watcher.
func (j *job[T, R]) Items() *hooks.Items { return j.b.items }

// outstanding yields the handles of the items that may not have ended. The manager calls it with
// locks held.
func (b *batch[T, R]) outstanding(yield func(handle any) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for j := range b.flight.all() {
		if !j.over && j.prepared && !yield(&j.handle) {
			return
		}
	}
}

// run is the consumer.
func (b *batch[T, R]) run(items iter.Seq[T], yield func(R, error) bool) {
	b.items = &hooks.Items{Manager: b.m, Outstanding: b.outstanding}
	if over := hooks.Need(b.ctx, b.items); over != nil {
		defer over() // when all has ended
		b.inTask = true
	}
	watched := make(chan struct{})
	unwatch := context.AfterFunc(b.ctx, func() {
		defer close(watched)
		b.abandon(-1)
	})
	defer func() {
		b.end()
		if !unwatch() {
			<-watched
		}
	}()
	go b.feed(items)
	for {
		j, err := b.next()
		if j == nil {
			if err != nil {
				var none R
				yield(none, err)
			}
			return
		}
		result, err := j.outcome()
		if !yield(result, err) || err != nil && !b.cfg.collect {
			return
		}
	}
}

// outcome returns the result or the error of an item that has ended. It forgets the result, so that a
// handle that is kept does not keep it.
func (j *job[T, R]) outcome() (R, error) {
	var none R
	result := j.result
	j.result = none
	if j.err == nil {
		return result, nil
	}
	return none, &ItemError{Index: j.index, Name: j.handle.Name(), Err: j.err}
}

// next waits until the next item in order has ended and returns it. At the end of the batch it
// returns nil, and the error that has ended the batch, if there is one.
func (b *batch[T, R]) next() (*job[T, R], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		j, ok := b.flight.first()
		switch {
		case b.ctx.Err() != nil:
			return nil, ended(b.ctx)
		case ok && j.over:
			b.flight.removeFirst()
			b.roomLocked()
			return j, nil
		case !ok && b.over && b.running == 0: // not before, since WithProgress may cause a fault
			return nil, b.fault
		}
		b.waits = true
		b.mu.Unlock()
		err := b.await(j)
		b.mu.Lock()
		b.waits = false
		if err != nil {
			return nil, err
		}
	}
}

// await waits for news. A task lends its slot meanwhile. j is the item whose end is the news, or
// nil. The manager is told of it, since it detects tasks that wait for each other.
func (b *batch[T, R]) await(j *job[T, R]) error {
	if b.inTask {
		if j != nil && j.prepared {
			err := j.handle.Wait(b.ctx)
			switch over := j.ended(); {
			case over:
				return nil
			case errors.Is(err, taskmanager.ErrWouldDeadlock):
				return err
			}
		}
		defer hooks.Lend(b.ctx, b.m)()
	}
	select {
	case <-b.news:
	case <-b.ctx.Done():
	}
	return nil
}

// ended reports whether the batch knows of the end of the item.
func (j *job[T, R]) ended() bool {
	j.b.mu.Lock()
	defer j.b.mu.Unlock()
	return j.over
}

// roomLocked wakes the feeder if it waits.
func (b *batch[T, R]) roomLocked() {
	if b.starved {
		b.starved = false
		b.room <- struct{}{} // has room, since the feeder has taken the last token
	}
}

// newsLocked wakes the consumer if it waits. A token may be left from a wait that has ended for
// another reason; it wakes the consumer in vain.
func (b *batch[T, R]) newsLocked() {
	if !b.waits {
		return
	}
	b.waits = false
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// feed is the feeder. Code of the user runs on its goroutine, so it may panic or call Goexit.
func (b *batch[T, R]) feed(items iter.Seq[T]) {
	returned := false
	defer func() {
		var fault error
		if !returned {
			fault = taskmanager.ErrGoexit
			if v := recover(); v != nil {
				fault = &taskmanager.PanicError{Value: v, Stack: debug.Stack()}
			}
			fault = fmt.Errorf("taskmanager: batch: the sequence of items: %w", fault)
		}
		b.mu.Lock()
		b.over = true
		b.fault = cmp.Or(b.fault, fault)
		b.newsLocked()
		b.mu.Unlock()
		close(b.fed)
	}()
	ctx := hooks.Patient(b.ctx)
	if !b.halted.Load() {
		items(func(item T) bool { return b.submit(ctx, item) && b.mayRead() })
	}
	returned = true
}

// mayRead waits until an item may be read. It returns false if no more are to be read.
func (b *batch[T, R]) mayRead() bool {
	b.mu.Lock()
	for !b.halted.Load() && b.flight.n >= b.cfg.inFlight {
		b.starved = true
		b.mu.Unlock()
		<-b.room
		b.mu.Lock()
	}
	b.mu.Unlock()
	return !b.halted.Load()
}

// submit submits an item. It returns false if no more are to be read.
func (b *batch[T, R]) submit(ctx context.Context, item T) bool {
	j := &job[T, R]{b: b, item: item}
	j.watched.Watcher = j
	err := hooks.Prepare(ctx, b.m, &j.handle, b.name, j, &j.watched, &b.cfg.options)
	j.prepared = err == nil
	b.mu.Lock()
	if b.halted.Load() {
		b.mu.Unlock()
		return false
	}
	j.index = b.read
	b.read++
	b.running++
	b.flight.add(j)
	if b.inTask && b.flight.n == 1 {
		b.newsLocked() // what the task waits for from now on is j
	}
	b.mu.Unlock()
	if err == nil {
		err = hooks.Launch(ctx, &j.handle)
	}
	switch {
	case err == nil:
		return true
	case !concernsOne(err):
		b.halted.Store(true)
	}
	j.Ended(err)
	return true
}

// concernsOne reports whether the error of a submit is that of one item. Other errors, such as
// ErrStopped, would be those of all further items too.
func concernsOne(err error) bool {
	for _, one := range []error{taskmanager.ErrQueueFull, taskmanager.ErrQueueTimeout, taskmanager.ErrCancelled} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// Ended implements hooks.Watcher. The submit calls it too, if it fails.
func (j *job[T, R]) Ended(err error) {
	b := j.b
	b.mu.Lock()
	if j.ending {
		b.mu.Unlock()
		return
	}
	j.ending = true
	if err != nil && !b.cfg.collect && j.index < b.cut {
		// First, since the consumer ends the batch as soon as it knows of the failure. While it cancels
		// the items, the worker of this one would start another.
		b.mu.Unlock()
		b.abandon(j.index)
		b.mu.Lock()
	}
	var none T
	j.over, j.err, j.item = true, err, none
	b.done++
	if first, _ := b.flight.first(); first == j {
		b.newsLocked()
	}
	if b.cfg.progress != nil {
		b.mu.Unlock()
		b.tell()
		b.mu.Lock()
	}
	if b.running--; b.running == 0 {
		b.newsLocked()
	}
	b.mu.Unlock()
}

// tell calls the function of WithProgress. If another goroutine does so, that one calls it again.
func (b *batch[T, R]) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cfg.progress == nil || b.telling {
		return
	}
	b.telling = true
	for b.told < b.done {
		told := b.done
		b.told = told
		b.mu.Unlock()
		err := guarded(func() { b.cfg.progress(told) })
		b.mu.Lock()
		if err != nil {
			b.fault = fmt.Errorf("taskmanager: batch: the function of WithProgress: %w", err)
			b.mu.Unlock()
			b.abandon(-1)
			b.mu.Lock()
			return // and it is not called again
		}
	}
	b.telling = false
}

// guarded calls a function and converts a panic to an error.
func guarded(call func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &taskmanager.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	call()
	return nil
}

// abandon cancels the items after the given position, and reads no more.
func (b *batch[T, R]) abandon(after int) {
	reason := taskmanager.ErrCancelled
	if b.ctx.Err() != nil {
		reason = fmt.Errorf("%w: %w", reason, cause.Of(b.ctx))
	}
	b.mu.Lock()
	b.halted.Store(true)
	b.roomLocked()
	var rest []*job[T, R]
	if after < b.cut {
		b.cut = after
		for j := range b.flight.all() {
			if j.index > after && !j.over && j.prepared {
				rest = append(rest, j)
			}
		}
	}
	b.mu.Unlock()
	for _, j := range slices.Backward(rest) { // the last ones wait, and should not start when others end
		hooks.Cancel(&j.handle, reason)
	}
}

// end cancels what is in flight, and waits until it has ended and the feeder has returned.
func (b *batch[T, R]) end() {
	b.abandon(-1)
	if b.inTask {
		defer hooks.Lend(b.ctx, b.m)()
	}
	<-b.fed
	b.mu.Lock()
	for b.running > 0 {
		b.waits = true
		b.mu.Unlock()
		<-b.news
		b.mu.Lock()
	}
	b.mu.Unlock()
}
