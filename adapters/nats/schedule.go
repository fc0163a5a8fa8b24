package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Repeat submits a task of the same name at each time of a timetable. Any number of processes may
// call it with the same name, timetable and payload. Each time is submitted once, as long as one of
// these processes runs. There is no leader. The id of each task is cron/NAME/TIME.
//
// A time is skipped if the task of an earlier time is still outstanding, or if it passes while no
// process runs the schedule. If the processes that run it cannot submit for a while, because the
// server cannot be reached or the machine is suspended, then only the last of the missed times is
// submitted, late.
//
// There is one exception. A process may be paused for longer than the interval just as it submits. If
// other processes have skipped the time meanwhile, it is submitted late, after a later one.
//
// The times are those of the server's clock, so the clocks of the processes may differ. The
// timetable gets wall times in the local time zone. If the time zones of the processes may differ,
// use a timetable that names its zone, as package adapters/cron can. A timetable with a fixed
// interval counts from the last time that any process has submitted.
//
// The schedule ends with ctx, [Schedule.Stop] or [Client.Close], and after the last time of the
// timetable. It also ends if the timetable panics, or returns a time that is not later than its
// argument. Repeat returns such an error of the first call, and logs later ones.
//
// opts may not contain [WithID], [WithDelay], [WithNotBefore] or [WithDeadline]. Repeat encodes the
// payload once.
func Repeat[T any](ctx context.Context, c *Client, times taskmanager.Timetable, name string, in T, opts ...SubmitOption) (*Schedule, error) {
	if err := checkClient(ctx, c, "repeat"); err != nil {
		return nil, err
	}
	if times == nil {
		return nil, errors.New("nats: Repeat: nil timetable; package adapters/cron makes one")
	}
	o, err := newSubmission(opts)
	if err != nil {
		return nil, err
	}
	if o.id != "" || o.delay != 0 || !o.notBefore.IsZero() || !o.deadline.IsZero() {
		return nil, errors.New("nats: Repeat: WithID, WithDelay, WithNotBefore and WithDeadline are not possible; the timetable determines the times")
	}
	e, data, err := c.envelope(name, payload{in, &in}, o)
	if err != nil {
		return nil, err
	}
	s := &Schedule{c: c, times: times, task: e, data: data, done: make(chan struct{})}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Schedule submits a task at the times of a timetable. [Repeat] makes it. It is safe for concurrent
// use.
type Schedule struct {
	c     *Client
	times taskmanager.Timetable
	task  envelope // its ID is set for each submit
	data  []byte
	stop  context.CancelFunc
	done  chan struct{}

	mu   sync.Mutex // guards next
	next time.Time  // by the clock of the server; zero: the schedule has ended
}

// Name returns the name of the tasks.
func (s *Schedule) Name() string { return s.task.Name }

// Next returns the time of the next submit, by the clock of this process, or the zero time if the
// schedule has ended. Another process may submit at that time, or the submit may be skipped.
func (s *Schedule) Next() time.Time {
	s.mu.Lock()
	next := s.next
	s.mu.Unlock()
	if next.IsZero() {
		return next
	}
	return s.c.clock.toLocal(next)
}

func (s *Schedule) setNext(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = t
}

// Stop ends the schedule in this process. A submit in progress may still succeed; [Schedule.Done]
// tells when it is over. Schedules of other processes and outstanding tasks continue.
func (s *Schedule) Stop() { s.stop() }

// Done returns a channel that is closed when the schedule has ended.
func (s *Schedule) Done() <-chan struct{} { return s.done }

// begin makes the first call of the timetable and starts the goroutine.
func (s *Schedule) begin(ctx context.Context) error {
	now := s.now()
	first, err := s.after(now)
	if err != nil {
		return err
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.setNext(first)
	started := s.c.start(func(life context.Context) {
		defer close(s.done)
		defer s.setNext(time.Time{})
		defer s.stop()
		defer context.AfterFunc(life, s.stop)()
		s.run(ctx, now)
	})
	if !started {
		s.stop()
		return ErrClosed
	}
	return nil
}

// now returns the time of the server as a wall time in the local zone.
func (s *Schedule) now() time.Time { return s.c.clock.now().Round(0).Local() }

// after asks the timetable. The zero time means that there is no further time.
func (s *Schedule) after(t time.Time) (next time.Time, err error) {
	defer recovered("the timetable of "+quote(s.task.Name), &err)
	next = s.times.Next(t)
	if !next.IsZero() && !next.After(t) {
		return time.Time{}, fmt.Errorf("nats: the timetable of %s is invalid: its Next(%v) returned %v, which is not later", quote(s.task.Name), t, next)
	}
	return next.Round(0), nil
}

// run submits at the times after a given one, until ctx ends.
func (s *Schedule) run(ctx context.Context, after time.Time) {
	for after = s.resume(ctx, after); ctx.Err() == nil; {
		due, err := s.upcoming(after)
		if err != nil {
			s.c.log.errorf("nats: the schedule ends: %s", clean(err.Error(), errorLimit))
			return
		}
		s.setNext(due)
		if due.IsZero() || !s.sleep(ctx, due) {
			return
		}
		if late, err := s.upcoming(after); err == nil && !late.Equal(due) {
			continue // this process was suspended, or had no connection
		}
		after = s.fire(ctx, due)
	}
}

// skipMost bounds the times that a schedule looks at to find the present one.
const skipMost = 1000

// upcoming returns the first time after a given one that is still worth a submit: it has not passed, or it is the
// last one that has. The zero time means that there is no further one.
func (s *Schedule) upcoming(after time.Time) (time.Time, error) {
	for n := 0; ; n++ {
		due, err := s.after(after)
		now := s.now()
		if err != nil || due.IsZero() || due.After(now) {
			return due, err
		}
		next, err := s.after(due)
		if err != nil || next.IsZero() || next.After(now) {
			return due, err
		}
		if after = due; n >= skipMost {
			after = now
		}
	}
}

// resume returns the time from which the timetable goes on: the last one that any process has submitted, unless
// further times have passed since. That matters for a fixed interval only.
func (s *Schedule) resume(ctx context.Context, now time.Time) time.Time {
	mark, _, err := s.mark(ctx)
	if err != nil || mark.IsZero() {
		return now
	}
	if next, err := s.after(mark); err != nil || !next.After(now) {
		return now
	}
	return mark
}

// longestSleep limits how long a schedule waits without a look at the clock of the server.
const longestSleep = 20 * time.Second

// sleep waits until a time of the server's clock. It returns false if ctx ends first.
func (s *Schedule) sleep(ctx context.Context, until time.Time) bool {
	for {
		left := until.Sub(s.c.clock.now())
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !pause(ctx, min(left, longestSleep)) {
			return false
		}
	}
}

// fire submits the task of a time, unless another process has, or the previous task is outstanding. It
// returns the time from which the timetable goes on. While the server does not answer, it tries again until the next
// time is due.
func (s *Schedule) fire(ctx context.Context, due time.Time) time.Time {
	next, err := s.after(due)
	if err == nil && !next.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, max(next.Sub(s.c.clock.now()), attemptTimeout))
		defer stop()
	}
	t := turn{due: due}
	for wait := firstPause; ; wait = min(2*wait, pauseMost) {
		last, err := s.attempt(ctx, &t)
		if err == nil {
			return last
		}
		again := pause(ctx, wait)
		if errors.Is(ctx.Err(), context.Canceled) {
			return due
		}
		if !again || wait == firstPause {
			s.c.log.errorf("nats: the schedule of %s: the task of %v: %s", quote(s.task.Name), due, clean(err.Error(), errorLimit))
		}
		if !again {
			return due
		}
	}
}

// turn is one time of a schedule.
type turn struct {
	due       time.Time
	submitted bool   // the task, or it is outstanding
	revision  uint64 // of the mark before that
}

// attempt is one attempt of fire. It returns the time up to which the schedule is done. What was
// submitted once is not submitted again, since the server would forget its id.
func (s *Schedule) attempt(ctx context.Context, t *turn) (time.Time, error) {
	if t.submitted {
		return t.due, s.moveMark(ctx, t)
	}
	began := time.Now()
	mark, revision, err := s.mark(ctx)
	if err != nil {
		return t.due, fmt.Errorf("read the mark: %w", err)
	}
	if time.Since(began) > 2*attemptMost { // the read has ended before
		return t.due, errors.New("the process was paused, so the mark may be old")
	}
	t.revision = revision
	if !mark.IsZero() {
		if !mark.Before(t.due) {
			return mark, nil // another process was faster
		}
		if next, err := s.after(mark); err == nil && next.After(t.due) {
			return mark, nil // a fixed interval, which others count from another time
		}
	}
	e := s.task
	e.ID = "cron/" + encode(e.Name) + "/" + strconv.FormatInt(unixNano(t.due), 10)
	err = s.c.publish(ctx, &e, s.data, true, true)
	switch {
	case errors.Is(err, taskmanager.ErrAlreadyExists):
		s.c.log.infof("nats: the schedule of %s skips %v, since the previous task is outstanding", quote(e.Name), t.due)
	case err != nil:
		return t.due, err
	}
	t.submitted = true
	return t.due, s.moveMark(ctx, t)
}

// mark returns the time up to which the schedule is done, and the revision of that entry. Both are zero if
// there is none.
func (s *Schedule) mark(ctx context.Context) (mark time.Time, revision uint64, err error) {
	ctx, stop := s.c.limited(ctx, attemptMost)
	defer stop()
	entry, err := s.c.cron.Get(ctx, encode(s.task.Name))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return mark, 0, nil
	}
	if err != nil {
		return mark, 0, s.c.translate(err)
	}
	n, err := strconv.ParseInt(string(entry.Value()), 10, 64)
	if err != nil {
		return mark, entry.Revision(), nil // not ours; it will be replaced
	}
	if mark = time.Unix(0, n); mark.After(s.now().Add(markAhead)) { // the clock of the server was wrong
		mark = time.Time{}
	}
	return mark, entry.Revision(), nil
}

// markAhead is how far a mark may be ahead of the clock of the server.
const markAhead = time.Minute

// moveMark moves the mark to the time of a turn. If another process was faster, it has done the same.
func (s *Schedule) moveMark(ctx context.Context, t *turn) error {
	ctx, stop := s.c.limited(ctx, attemptMost)
	defer stop()
	value := []byte(strconv.FormatInt(unixNano(t.due), 10))
	var err error
	if t.revision == 0 {
		_, err = s.c.cron.Create(ctx, encode(s.task.Name), value)
	} else {
		_, err = s.c.cron.Update(ctx, encode(s.task.Name), value, t.revision)
	}
	if err == nil || errors.Is(err, jetstream.ErrKeyExists) || nameTaken(err) {
		return nil
	}
	return fmt.Errorf("move the mark: %w", s.c.translate(err))
}
