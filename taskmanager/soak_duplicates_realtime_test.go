package taskmanager_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// duplicate submits a task whose name may be taken, with an option for that.
func (d *driver) duplicate() {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if d.random.IntN(3) == 0 {
		ctx, cancel = d.brief()
	}
	if h := d.submitTaken(ctx, d.random, d.newTask(d.random, d.random.IntN(soakNames/4), nil)); h != nil {
		d.handles = append(d.handles, h)
	}
	context.AfterFunc(ctx, cancel)
}

// submitTaken submits a task with a random option for a name that is taken. It returns the handle
// of the task that runs, which may be another one.
func (x *life) submitTaken(ctx context.Context, random *rand.Rand, t *soakTask) *taskmanager.Handle {
	id := fmt.Sprint("submit ", x.serial.Add(1))
	opts := append(t.options(random), taskmanager.WithDescription(id))
	op := []string{"WithRerun", "WithReplace", "WithDebounce"}[random.IntN(3)]
	switch op {
	case "WithRerun":
		opts = append(opts, taskmanager.WithRerun())
	case "WithReplace":
		opts = append(opts, taskmanager.WithReplace())
	case "WithDebounce":
		opts = append(opts, taskmanager.WithDebounce(), taskmanager.WithDelay(time.Duration(random.IntN(1000))*time.Microsecond))
	}
	h, err := x.m.Submit(ctx, t, opts...)
	if err == nil && h.Status().Description != id { // another task serves the submit
		if op != "WithRerun" || h.Name() != t.name {
			x.fail("a submit of %q with %s returned the handle of another task, named %q", t.name, op, h.Name())
		}
		x.s.count("submit: served by another task")
		return h
	}
	t.accept(op, h, err)
	return h
}

// again submits a further task of its own name, which must wait behind this one, and waits for it,
// which the manager must refuse while this task is outstanding.
func (e *execution) again() error {
	if !e.x.enter() {
		return e.outcome()
	}
	next := e.x.newTask(e.random, e.number, e)
	next.name = e.name // also if it is that of a child
	var h *taskmanager.Handle
	e.stepAside("the submit of its own name", func() { h = e.x.submitTaken(e.ctx, e.random, next) })
	e.x.leave()
	if h != nil {
		e.waitFor(h)
		if next.runs.Load() > 0 {
			e.x.fail("two tasks named %q are under way", e.name)
		}
	}
	return e.outcome()
}
