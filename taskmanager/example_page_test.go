package taskmanager_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Many tasks are listed in pages. A budget bounds the time of each page.
func ExampleTaskManager_Page() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	untilStopped := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for i := range 1000 {
		if _, err := m.SubmitFunc(ctx, fmt.Sprint("mail/", i), untilStopped); err != nil {
			log.Fatal(err)
		}
	}
	f := taskmanager.Filter{Prefix: "mail/", Contains: "99", Limit: 8, Budget: 50 * time.Millisecond}
	found := 0
	for {
		tasks, next, err := m.Page(f)
		if err != nil {
			log.Fatal(err) // a fault of the filter
		}
		found += len(tasks) // a web page would show them, with a link for next
		if next == "" {
			break // the list is complete
		}
		f.After = next
	}
	fmt.Println(found, "tasks have 99 in their names")
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 19 tasks have 99 in their names
}

// stuck is a task whose progress cannot be asked for.
type stuck struct{ report }

func (stuck) Progress() (float64, error)        { select {} }
func (stuck) Description() string               { return "hangs" }
func (stuck) Execute(ctx context.Context) error { <-ctx.Done(); return nil }

// Peek is the status without the methods of the task, which may block.
func ExampleHandle_Peek() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	h, err := m.Submit(ctx, stuck{report{"daily", 1}}, taskmanager.WithDescription("the report of today"))
	if err != nil {
		log.Fatal(err)
	}
	<-h.Started()
	s := h.Peek()
	fmt.Println(s.Name, s.Status, s.Description)
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// daily/1 running the report of today
}

// Counts has the outstanding tasks by state.
func ExampleTaskManager_Counts_states() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	untilStopped := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for i := range 3 {
		h, err := m.SubmitFunc(ctx, fmt.Sprint("mail/", i), untilStopped)
		if err != nil {
			log.Fatal(err)
		}
		if i == 0 {
			<-h.Started()
		}
	}
	if _, err := m.SubmitFunc(ctx, "later", untilStopped, taskmanager.WithDelay(time.Hour)); err != nil {
		log.Fatal(err)
	}
	c := m.Counts()
	fmt.Println(c.Running, "running,", c.Queued, "queued,", c.Delayed, "delayed,", c.Restarting, "restarting")
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 running, 2 queued, 1 delayed, 0 restarting
}
