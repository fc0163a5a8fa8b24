package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Two videos do not fit into the memory at once. A mail needs none and does not wait.
func ExampleResources() {
	ctx := context.Background()
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 10),
		taskmanager.WithQueue(taskmanager.Resources(map[string]int64{"memory": 8}, taskmanager.FIFO())))
	if err != nil {
		log.Fatal(err)
	}
	first, err := m.SubmitFunc(ctx, "video/1", untilCancelled, taskmanager.WithResource("memory", 6))
	if err != nil {
		log.Fatal(err)
	}
	<-first.Started()
	second, err := m.SubmitFunc(ctx, "video/2", func(context.Context) error { return nil }, taskmanager.WithResource("memory", 6))
	if err != nil {
		log.Fatal(err)
	}
	mail, err := m.SubmitFunc(ctx, "mail", func(context.Context) error { return nil })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("mail:", mail.Wait(ctx))
	fmt.Println("video/2:", second.Status().Status)
	first.Cancel()
	fmt.Println("video/2:", second.Wait(ctx))
	_, err = m.SubmitFunc(ctx, "film", untilCancelled, taskmanager.WithResource("memory", 9))
	fmt.Println(err)
	fmt.Println(m.Stop(ctx))
	// Output:
	// mail: <nil>
	// video/2: not assigned
	// video/2: <nil>
	// taskmanager: WithResource: the task needs 9 of "memory"; the capacity is 8
	// <nil>
}

// At most one export runs at once, and tenants take turns.
func ExampleLimitBy() {
	m, open := gate(taskmanager.WithQueue(taskmanager.LimitBy(1, (*taskmanager.Handle).Kind, taskmanager.Fair(nil))))
	ctx := context.Background()
	if err := m.Resize(1, 10); err != nil {
		log.Fatal(err)
	}
	open()
	first, err := m.SubmitFunc(ctx, "export/1", untilCancelled, taskmanager.WithKind("export"), taskmanager.WithKey("acme"))
	if err != nil {
		log.Fatal(err)
	}
	<-first.Started()
	second, err := m.SubmitFunc(ctx, "export/2", untilCancelled, taskmanager.WithKind("export"), taskmanager.WithKey("other"))
	if err != nil {
		log.Fatal(err)
	}
	mail, err := m.SubmitFunc(ctx, "mail/1", func(context.Context) error { return nil }, taskmanager.WithKind("mail"), taskmanager.WithKey("acme"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mail.Kind(), mail.Wait(ctx))
	fmt.Println(second.Kind(), second.Status().Status)
	fmt.Println(m.Stop(ctx))
	// Output:
	// mail <nil>
	// export not assigned
	// <nil>
}

// A task that fails runs again before those that wait.
func ExampleWithRestartAtFront() {
	m, open := gate(taskmanager.WithRestartAtFront(), taskmanager.WithRestart(restart.Constant(0)))
	ctx, failed := context.Background(), false
	_, err := m.SubmitFunc(ctx, "upload", func(context.Context) error {
		fmt.Println("upload")
		if !failed {
			failed = true
			return errors.New("connection lost")
		}
		return nil
	}, taskmanager.WithRestart(restart.Constant(0)))
	if err != nil {
		log.Fatal(err)
	}
	last, err := m.SubmitFunc(ctx, "cleanup", func(context.Context) error {
		fmt.Println("cleanup")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	open()
	fmt.Println(last.Wait(ctx), m.Stop(ctx))
	// Output:
	// upload
	// upload
	// cleanup
	// <nil> <nil>
}
