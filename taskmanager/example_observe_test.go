package taskmanager_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// The loop cancels all tasks of one kind. The manager holds no lock during the loop, so
// the body may call it.
func ExampleTaskManager_Tasks() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, name := range []string{"mail/1", "mail/2", "backup"} {
		if _, err := m.SubmitFunc(ctx, name, untilCancelled); err != nil {
			log.Fatal(err)
		}
	}

	mails := 0
	for h := range m.Tasks() {
		if strings.HasPrefix(h.Name(), "mail/") {
			mails++
			h.Cancel()
		}
	}
	fmt.Println(mails, "mails cancelled")
	fmt.Println(m.Stop(ctx))
	// Output:
	// 2 mails cancelled
	// <nil>
}

// Workers yields the workers in order of their numbers, and what each of them does.
func ExampleTaskManager_Workers() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	h, err := m.SubmitFunc(ctx, "backup", untilCancelled)
	if err != nil {
		log.Fatal(err)
	}
	<-h.Started()
	for number, w := range m.Workers() {
		fmt.Println(number, w.TaskName, w.Status)
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// 1 backup running
	// <nil>
}

// If the task is already outstanding, wait for that one.
func ExampleTaskManager_Lookup() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	finish := make(chan struct{})
	if _, err := m.SubmitFunc(ctx, "thumbnail/42", func(context.Context) error { <-finish; return nil }); err != nil {
		log.Fatal(err)
	}

	h, err := m.SubmitFunc(ctx, "thumbnail/42", func(context.Context) error { return nil })
	if errors.Is(err, taskmanager.ErrAlreadyExists) {
		var ok bool
		if h, ok = m.Lookup("thumbnail/42"); !ok {
			log.Fatal("it is done already")
		}
	}
	close(finish)
	fmt.Println(h.Wait(ctx))
	_, ok := m.Lookup("thumbnail/42") // no longer outstanding
	fmt.Println(ok)
	fmt.Println(m.Stop(ctx))
	// Output:
	// <nil>
	// false
	// <nil>
}

// The history keeps failures apart from successes: a hundred successes do not replace one.
func ExampleWithHistory() {
	m, err := taskmanager.Start(taskmanager.WithHistory(2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for n := range 100 {
		var result error
		if n == 7 {
			result = errors.New("the disk is full")
		}
		h, err := m.SubmitFunc(ctx, fmt.Sprint("nightly/", n), func(context.Context) error { return result })
		if err != nil {
			log.Fatal(err)
		}
		<-h.Done()
	}
	for _, r := range m.History() {
		fmt.Println(r.Name, r.Outcome, r.LastError)
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// nightly/7 failure the disk is full
	// nightly/98 success <nil>
	// nightly/99 success <nil>
	// <nil>
}

// diary is an observer of the decisions of the scaler.
type diary struct{ decisions []observe.Decision }

func (d *diary) ScalerDecided(made observe.Decision) { d.decisions = append(d.decisions, made) }

// Describe returns what a page about the manager shows at its top. An observer gets each decision
// of the scaler, in addition to the last ones of [taskmanager.TaskManager.Decisions].
func ExampleTaskManager_Describe() {
	d := new(diary)
	m, err := taskmanager.Start(
		taskmanager.WithName("images"),
		taskmanager.WithWorkers(2, 2),
		taskmanager.WithQueue(taskmanager.Priority(8)),
		taskmanager.WithLimit(100, taskmanager.Reject),
		taskmanager.WithScaler(scale.Fixed(2)),
		taskmanager.WithObserver(d),
	)
	if err != nil {
		log.Fatal(err)
	}
	m.Pause()
	about := m.Describe()
	fmt.Println(about.Name, "is", about.State)
	fmt.Println(about.Discipline, about.Scaler, about.Limit, about.Overflow)
	fmt.Println(m.Stop(context.Background()))
	fmt.Println(m.Describe().State)
	for _, made := range d.decisions {
		fmt.Println(made.Number, made.Target, made.Reason)
	}
	// Output:
	// images is paused
	// Priority(8) Fixed(2) 100 Reject
	// <nil>
	// stopped
	// 1 2 fixed
}

// tenant is a key for context values.
type tenant struct{}

// The outer middleware adds a value to the context. The inner one is a circuit breaker:
// after a failure it runs no further task.
func ExampleWithMiddleware() {
	broken := errors.New("not tried, as the last one has failed")
	breaker := func(next taskmanager.Runner) taskmanager.Runner {
		open := false // for one worker; with more, it needs a lock
		return func(ctx context.Context, h *taskmanager.Handle) error {
			if open {
				return broken
			}
			err := next(ctx, h)
			open = err != nil
			return err
		}
	}
	tenants := func(next taskmanager.Runner) taskmanager.Runner {
		return func(ctx context.Context, h *taskmanager.Handle) error {
			name, _, _ := strings.Cut(h.Name(), "/")
			return next(context.WithValue(ctx, tenant{}, name), h)
		}
	}
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(1, 1),
		taskmanager.WithMiddleware(tenants, breaker),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, name := range []string{"acme/1", "acme/2"} {
		h, err := m.SubmitFunc(ctx, name, func(ctx context.Context) error {
			return fmt.Errorf("no connection for %v", ctx.Value(tenant{}))
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(h.Wait(ctx))
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// no connection for acme
	// not tried, as the last one has failed
	// <nil>
}

// With WithPoolTimes, the snapshot has the sums of waits and run times under the default scaler too, so
// their means over any interval follow from two snapshots.
func ExampleWithPoolTimes() {
	m, err := taskmanager.Start(taskmanager.WithPoolTimes(), taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	before := m.Snapshot()
	for _, text := range []string{"a", "b"} {
		h, err := m.SubmitFunc(ctx, text, func(context.Context) error {
			sha256.Sum256([]byte(text))
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
		<-h.Done()
	}
	fmt.Println(m.WaitIdle(ctx), m.Stop(ctx))
	after := m.Snapshot()
	mean := (after.ServiceTime - before.ServiceTime) / float64(after.Completed-before.Completed)
	fmt.Println("a task takes less than a second:", mean > 0 && mean < 1)
	// Output:
	// <nil> <nil>
	// a task takes less than a second: true
}

// urgent is an observer that reports executions of urgent tasks.
type urgent struct{}

func (urgent) BeginRun(ctx context.Context, r observe.Run) context.Context {
	if h, ok := taskmanager.FromContext(ctx); ok && h.Priority() > 0 {
		fmt.Printf("%s of %s runs with priority %d\n", r.Name, h.Key(), h.Priority())
	}
	return ctx
}

func (urgent) EndRun(context.Context, observe.Run, observe.Result) {}

// In the context of an event, an observer finds the task, and with it what the event does not say.
func ExampleFromContext_observer() {
	m, err := taskmanager.Start(taskmanager.WithObserver(urgent{}))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	work := func(context.Context) error { return nil }
	h, err := m.SubmitFunc(ctx, "invoice/7", work, taskmanager.WithKey("acme"), taskmanager.WithPriority(3))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// invoice/7 of acme runs with priority 3
	// <nil>
	// <nil>
}
