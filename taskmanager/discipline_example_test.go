package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// report is a task of a tenant. Its methods return the attributes by which disciplines
// order tasks.
type report struct {
	tenant string
	pages  int
}

func (r report) Name() string { return fmt.Sprintf("%s/%d", r.tenant, r.pages) }
func (r report) Key() string  { return r.tenant }
func (r report) Cost() int64  { return int64(max(1, r.pages)) }

func (r report) Execute(context.Context) error {
	fmt.Println(r.Name())
	return nil
}

// gate starts a manager with one worker and keeps the worker busy until open is called,
// so that tasks queue up.
func gate(opts ...taskmanager.Option) (m *taskmanager.TaskManager, open func()) {
	m, err := taskmanager.Start(append(opts, taskmanager.WithWorkers(1, 1))...)
	if err != nil {
		log.Fatal(err)
	}
	opened := make(chan struct{})
	started, err := m.GoFunc("gate", func(context.Context) error { <-opened; return nil })
	if err != nil {
		log.Fatal(err)
	}
	<-started
	return m, func() { close(opened) }
}

// A tenant with many tasks delays only itself, and the tenant with the larger weight gets
// a larger share.
func ExampleFair() {
	m, open := gate(taskmanager.WithQueue(taskmanager.Fair(func(key string) int {
		if key == "gold" {
			return 2
		}
		return 1
	})))
	ctx := context.Background()
	var handles []*taskmanager.Handle
	for _, r := range []report{
		{"big", 11}, {"big", 12}, {"big", 13}, {"gold", 10}, {"gold", 14}, {"small", 9},
	} {
		h, err := m.Submit(ctx, r)
		if err != nil {
			log.Fatal(err)
		}
		handles = append(handles, h)
	}
	open()
	for _, h := range handles {
		_ = h.Wait(ctx)
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// gold/10
	// small/9
	// big/11
	// gold/14
	// big/12
	// big/13
	// <nil>
}

// A task option sets the priority of a task that has no method Priority, or overrides it.
func ExamplePriority() {
	m, open := gate(taskmanager.WithQueue(taskmanager.Priority(0)))
	ctx := context.Background()
	for level := range 3 {
		_, err := m.Submit(ctx, report{"tenant", level}, taskmanager.WithPriority(level))
		if err != nil {
			log.Fatal(err)
		}
	}
	last, err := m.SubmitFunc(ctx, "cleanup", func(context.Context) error { return nil }, taskmanager.WithPriority(-1))
	if err != nil {
		log.Fatal(err)
	}
	open()
	fmt.Println(last.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// tenant/2
	// tenant/1
	// tenant/0
	// <nil>
	// <nil>
}

// The queue holds one task. A new task replaces the oldest.
func ExampleWithLimit() {
	m, open := gate(taskmanager.WithLimit(1, taskmanager.DropOldest))
	ctx := context.Background()
	outdated, err := m.Submit(ctx, report{"prices", 1})
	if err != nil {
		log.Fatal(err)
	}
	fresh, err := m.Submit(ctx, report{"prices", 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(outdated.Wait(ctx), taskmanager.ErrDropped))
	open()
	fmt.Println(fresh.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// true
	// prices/2
	// <nil>
	// <nil>
}
