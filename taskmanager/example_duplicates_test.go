package taskmanager_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Requests that come while a cache is being refreshed lead to one more refresh.
func ExampleWithRerun() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	began, loaded := make(chan struct{}, 1), make(chan struct{})
	refresh := func(context.Context) error {
		fmt.Println("refresh")
		began <- struct{}{}
		<-loaded
		return nil
	}

	var last *taskmanager.Handle
	for request := range 5 {
		last, err = m.SubmitFunc(ctx, "refresh prices", refresh, taskmanager.WithRerun())
		if err != nil {
			log.Fatal(err)
		}
		if request == 0 {
			<-began
		}
	}
	close(loaded)
	fmt.Println(last.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// refresh
	// refresh
	// <nil>
	// <nil>
}

// Only the last report that is waiting counts.
func ExampleWithReplace() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	m.Pause() // so that the tasks wait
	report := func(day string) *taskmanager.Handle {
		h, err := m.SubmitFunc(ctx, "report", func(context.Context) error {
			fmt.Println("report of", day)
			return nil
		}, taskmanager.WithReplace())
		if err != nil {
			log.Fatal(err)
		}
		return h
	}

	monday, tuesday := report("Monday"), report("Tuesday")
	fmt.Println(monday.Err())
	m.Resume()
	fmt.Println(tuesday.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: a later submit of that name replaced the task: context canceled
	// report of Tuesday
	// <nil>
	// <nil>
}

// A document is saved when it has not been changed for a while.
func ExampleWithDebounce() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	m.Pause() // so that the changes come in time even on a machine that is busy
	var last *taskmanager.Handle
	for change := range 3 {
		last, err = m.SubmitFunc(ctx, "save", func(context.Context) error {
			fmt.Println("saved with change", change)
			return nil
		}, taskmanager.WithDebounce(), taskmanager.WithDelay(50*time.Millisecond))
		if err != nil {
			log.Fatal(err)
		}
	}
	m.Resume()
	fmt.Println(last.Wait(ctx))
	fmt.Println(m.Counts().Cancelled, "replaced")
	fmt.Println(m.Stop(ctx))
	// Output:
	// saved with change 2
	// <nil>
	// 2 replaced
	// <nil>
}
