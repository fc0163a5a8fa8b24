package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TryGo does work in the group if there is room, and leaves it to the caller otherwise.
func ExampleGroup_TryGo() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	finish := make(chan struct{})
	g := m.Group(ctx, taskmanager.WithGroupLimit(1))
	for n := range 3 {
		err := g.TryGo(fmt.Sprint("page/", n), func(context.Context) error { <-finish; return nil })
		fmt.Println(n, errors.Is(err, taskmanager.ErrQueueFull))
	}
	close(finish)
	fmt.Println(g.Wait(ctx)) // a refusal is not a failure of the group
	fmt.Println(m.Stop(ctx))
	// Output:
	// 0 false
	// 1 true
	// 2 true
	// <nil>
	// <nil>
}

// The context of GoContext limits how long a submit waits for room. The task goes on after its end.
func ExampleGroup_GoContext() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	finish := make(chan struct{})
	g := m.Group(ctx, taskmanager.WithGroupLimit(1))
	for n, patience := range []time.Duration{time.Minute, 10 * time.Millisecond} {
		limited, cancel := context.WithTimeout(ctx, patience)
		err := g.GoContext(limited, fmt.Sprint("page/", n), func(ctx context.Context) error { <-finish; return ctx.Err() })
		cancel()
		fmt.Println(n, errors.Is(err, context.DeadlineExceeded))
	}
	close(finish)
	fmt.Println(g.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// 0 false
	// 1 true
	// <nil>
	// <nil>
}

// Context ends when the group fails. A loop that submits tasks sees that. The deferred Cancel leaves
// no task behind, whatever happens.
func ExampleGroup_Context() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	g := taskmanager.NewResultGroup[int](ctx, m, taskmanager.WithGroupLimit(2))
	defer g.Cancel()
	lines := make(chan string) // of a source that has no end
	go func() {
		defer close(lines)
		for n := 0; ; n++ {
			select {
			case lines <- fmt.Sprint("line ", n):
			case <-g.Context().Done():
				return
			}
		}
	}()
	for line := range lines {
		_ = g.Go(line, func(context.Context) (int, error) {
			if line == "line 5" {
				return 0, errors.New("not a number")
			}
			return len(line), nil
		})
	}
	_, err = g.Wait(ctx)
	fmt.Println(err)
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: task "line 5": not a number
	// <nil>
}

// Done is for select statements. SetLimit changes how many tasks of the group are outstanding, here
// from one to two.
func ExampleGroup_SetLimit() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(4, 4))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	g := m.Group(ctx, taskmanager.WithGroupLimit(1))
	other := make(chan struct{})
	_ = g.Go("first", func(context.Context) error { <-other; return nil }) // needs the second one
	go func() {
		if err := g.SetLimit(2); err != nil {
			log.Print(err)
		}
	}()
	_ = g.Go("second", func(context.Context) error { close(other); return nil }) // waits for room
	select {
	case <-g.Done():
		fmt.Println("done:", g.Wait(ctx))
	case <-time.After(time.Minute):
		g.Cancel()
		fmt.Println("too slow:", g.Wait(ctx))
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// done: <nil>
	// <nil>
}
