// Command tenants shows what fair queueing does for a small tenant while a large one submits
// more than the workers can do. It runs the same load under two settings and prints a table.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// setting is a discipline for the queue and a policy for a full one.
type setting struct {
	name       string
	discipline taskmanager.Discipline
	overflow   taskmanager.Overflow
}

var settings = []setting{
	// A full queue drops the tasks of every tenant alike.
	{"FIFO, DropNewest", taskmanager.FIFO(), taskmanager.DropNewest},
	// The tenants take turns. A full queue drops a task of the tenant with the most waiting, so
	// the small tenant loses nothing. (Under Reject it would: a full queue has no room for it.)
	{"Fair, DropWorst", taskmanager.Fair(nil), taskmanager.DropWorst},
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run prints how each tenant fares under each setting.
func run(ctx context.Context, out io.Writer) error {
	var rows strings.Builder
	rows.WriteString("setting\ttenant\tsubmitted\tdone\tdropped\tlongest wait\t\n")
	for _, s := range settings {
		results, err := simulate(ctx, s)
		if err != nil {
			return err
		}
		for _, r := range results {
			fmt.Fprintf(&rows, "%s\t%s\t%d\t%d\t%d\t%v\t\n",
				s.name, r.tenant, r.done+r.dropped, r.done, r.dropped, r.longest.Round(time.Millisecond))
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := io.WriteString(table, rows.String())
	return errors.Join(err, table.Flush())
}

// result is what became of the tasks of a tenant.
type result struct {
	tenant        string
	done, dropped int
	longest       time.Duration // wait in the queue of a task that ran
}

// simulate submits tasks of 10 ms to two workers for a second. They can do two tasks in 10 ms.
// The large tenant submits five in that time, the small one a single task every 40 ms.
func simulate(ctx context.Context, s setting) ([]result, error) {
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(2, 2),
		taskmanager.WithQueue(s.discipline),
		taskmanager.WithLimit(50, s.overflow),
	)
	if err != nil {
		return nil, err
	}
	large, small := &tenant{name: "large"}, &tenant{name: "small"}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for round := range 100 {
		for range 5 {
			err = errors.Join(err, large.submit(ctx, m))
		}
		if round%4 == 0 {
			err = errors.Join(err, small.submit(ctx, m))
		}
		<-tick.C
	}
	results := []result{large.result(ctx), small.result(ctx)}
	return results, errors.Join(err, m.Stop(ctx))
}

// tenant submits tasks under its name as their key, by which Fair tells tenants apart.
type tenant struct {
	name  string
	tasks []*taskmanager.Handle
}

func (t *tenant) submit(ctx context.Context, m *taskmanager.TaskManager) error {
	h, err := m.SubmitFunc(ctx, fmt.Sprintf("%s/%d", t.name, len(t.tasks)+1), work, taskmanager.WithKey(t.name))
	if err == nil { // a dropped task has a handle too, which ends with ErrDropped
		t.tasks = append(t.tasks, h)
	}
	return err
}

// work pretends to work.
func work(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }

// result waits for the tasks of the tenant.
func (t *tenant) result(ctx context.Context) result {
	r := result{tenant: t.name}
	for _, h := range t.tasks {
		if err := h.Wait(ctx); errors.Is(err, taskmanager.ErrDropped) {
			r.dropped++
			continue
		}
		r.done++
		s := h.Status()
		r.longest = max(r.longest, s.StartedAt.Sub(s.QueuedAt))
	}
	return r
}
