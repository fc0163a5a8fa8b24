package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Async returns a future; the result is read where it is needed.
func ExampleAsync() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	pages, err := taskmanager.Async(ctx, m, "count/report.pdf", func(context.Context) (int, error) {
		return 42, nil
	})
	if err != nil {
		log.Fatal(err) // for example ErrAlreadyExists
	}
	n, err := pages.Result(ctx)
	fmt.Println(n, err)
	fmt.Println(m.Stop(ctx))
	// Output:
	// 42 <nil>
	// <nil>
}

// The first failure cancels the other tasks of the group. Wait returns it.
func ExampleTaskManager_Group() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	g := m.Group(ctx)
	// An error of Go counts as a failure of the group, so it is enough to check Wait.
	_ = g.Go("upload", func(ctx context.Context) error {
		<-ctx.Done()
		fmt.Println("upload given up:", errors.Is(context.Cause(ctx), taskmanager.ErrGroupFailed))
		return ctx.Err()
	})
	uploading, ok := m.Lookup("upload")
	if !ok {
		log.Fatal("the upload is over already")
	}
	_ = g.Go("check", func(context.Context) error {
		<-uploading.Started()
		return errors.New("the file is damaged")
	})
	fmt.Println(g.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// upload given up: true
	// taskmanager: task "check": the file is damaged
	// <nil>
}

// Results are in the order of the submits. With WithCollect, a failure does not cancel
// the other tasks; the result of the failed task is the zero value.
func ExampleNewResultGroup() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(4, 4))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	g := taskmanager.NewResultGroup[int](ctx, m, taskmanager.WithCollect(), taskmanager.WithGroupLimit(2))
	for _, word := range []string{"one", "", "three"} {
		_ = g.Go("measure/"+word, func(context.Context) (int, error) {
			if word == "" {
				return 0, errors.New("nothing to measure")
			}
			return len(word), nil
		})
	}
	lengths, err := g.Wait(ctx)
	fmt.Println(lengths)
	fmt.Println(err)
	fmt.Println(m.Stop(ctx))
	// Output:
	// [3 0 5]
	// taskmanager: task "measure/": nothing to measure
	// <nil>
}

// SubmitAll accepts all tasks or none.
func ExampleTaskManager_SubmitAll() {
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(1, 1),
		taskmanager.WithLimit(2, taskmanager.Reject),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	chapters := []taskmanager.Task{report{"book", 1}, report{"book", 2}, report{"book", 3}, report{"book", 4}}
	_, err = m.SubmitAll(ctx, chapters) // there is room for three: one runs and two wait
	fmt.Println("all four:", errors.Is(err, taskmanager.ErrQueueFull))

	handles, err := m.SubmitAll(ctx, chapters[:2])
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range handles {
		if err := h.Wait(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// all four: true
	// book/1
	// book/2
	// <nil>
}

// The error of a group says which task has failed. The functions TrySubmitFunc and TryAsync do not
// wait for room.
func ExampleTaskError() {
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(1, 1),
		taskmanager.WithLimit(1, taskmanager.Block),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	empty := errors.New("no rows")
	g := m.Group(ctx)
	_ = g.Go("import/7", func(context.Context) error { return empty })
	err = g.Wait(ctx)
	fmt.Println(err)
	if failed, ok := errors.AsType[*taskmanager.TaskError](err); ok {
		fmt.Println(failed.Name, "may run again:", errors.Is(err, empty))
	}

	m.Pause()
	again, err := m.TrySubmitFunc(ctx, "import/7", func(context.Context) error { return nil })
	fmt.Println(again.Name(), err)
	_, err = taskmanager.TryAsync(ctx, m, "count", func(context.Context) (int, error) { return 7, nil })
	fmt.Println(err)
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: task "import/7": no rows
	// import/7 may run again: true
	// import/7 <nil>
	// taskmanager: the queue is full; try again later, or raise the limit
	// <nil>
}

// TrySubmit returns an error where Submit would wait for room.
func ExampleTaskManager_TrySubmit() {
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(1, 1),
		taskmanager.WithLimit(1, taskmanager.Block),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	finish := make(chan struct{})
	busy, err := m.SubmitFunc(ctx, "busy", func(context.Context) error { <-finish; return nil })
	if err != nil {
		log.Fatal(err)
	}
	<-busy.Started()

	waits, err := m.TrySubmit(ctx, report{"daily", 1})
	fmt.Println("the first one waits:", waits != nil, err)
	_, err = m.TrySubmit(ctx, report{"daily", 2})
	fmt.Println("the second one may not:", errors.Is(err, taskmanager.ErrQueueFull))
	close(finish)
	fmt.Println(waits.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// the first one waits: true <nil>
	// the second one may not: true
	// daily/1
	// <nil>
	// <nil>
}
