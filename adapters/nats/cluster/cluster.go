// Package cluster shows the tasks of package nats in the dashboard of package adapters/dashboard.
//
//	c, err := nats.Open(ctx, nc)
//	if err != nil {
//		return err
//	}
//	d := dashboard.New(dashboard.Cluster("shop", cluster.Source(c)))
//	defer d.Close()
//
// The dashboard then has pages with the worker processes, the kinds, the outstanding tasks and the
// dead letters of the namespace. With the option [dashboard.Actions], its users may cancel tasks,
// and retry and delete dead letters. The connection needs the permissions of [nats.RoleOperator];
// see [nats.Permissions].
//
// The program needs neither a worker nor a manager, so the dashboard can be a program of its own.
// Close the dashboard before the client.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Source returns a source of the tasks in the namespace of a client, for [dashboard.Cluster]. It is
// safe for concurrent use.
//
// It asks the server and the worker processes. If a process does not answer, the answer takes up to
// two seconds, is partial and says so. Lists are bounded; see [nats.Client.List] and
// [nats.Client.LatestDeadLetters]. If a count of the tasks by kind takes longer than 2.5 seconds,
// as it may with very many tasks of kinds without a worker, the numbers of the kinds are unknown
// for the next 30 seconds.
func Source(c *nats.Client) dashboard.ClusterSource {
	return &source{c: c, kinds: kindCounter{count: c.Kinds}}
}

type source struct {
	c     *nats.Client
	kinds kindCounter
}

// Overview returns the processes and the kinds.
func (s *source) Overview(ctx context.Context) (o dashboard.ClusterOverview, err error) {
	processes, err := s.c.Processes(ctx)
	if err != nil {
		return o, err
	}
	asked := time.Now()
	page, err := s.c.List(ctx, nats.Search{Limit: 1})
	if partial, ok := errors.AsType[*nats.PartialError](err); ok {
		o.Note = silence(len(partial.Silent))
	} else if err != nil {
		return o, err
	}
	for _, p := range processes {
		if n, answers := page.Running[p.ID]; answers { // what a process announces is up to ten seconds old
			p.Running, p.Seen = n, asked
		}
		o.Processes = append(o.Processes, dashboard.ClusterProcess{
			ID: p.ID, Name: p.Name, Host: p.Host, PID: p.PID, Kinds: p.Kinds, Workers: p.Workers, Running: p.Running, Since: p.Started, Seen: p.Seen,
		})
	}
	kinds, counted, err := s.kinds.kinds(ctx)
	if err != nil {
		return o, err
	}
	if !counted {
		o.Kinds = uncounted(processes)
		o.Note = strings.TrimSpace(fmt.Sprintf("%d tasks are outstanding, too many to count them by kind. %s", page.Total, o.Note))
		return o, nil
	}
	runBy := processesByKind(processes)
	for _, k := range kinds {
		o.Kinds = append(o.Kinds, dashboard.ClusterKind{
			Kind: k.Kind, Waiting: signed(k.Waiting), Running: signed(k.Running), Dead: signed(k.Dead), Processes: runBy[k.Kind], Consumer: k.HasConsumer,
		})
	}
	return o, nil
}

// processesByKind returns how many processes run each kind.
func processesByKind(processes []nats.Process) map[string]int {
	n := make(map[string]int)
	for _, p := range processes {
		for _, kind := range p.Kinds {
			n[kind]++
		}
	}
	return n
}

// uncounted returns the kinds that processes run.
func uncounted(processes []nats.Process) (list []dashboard.ClusterKind) {
	runBy := processesByKind(processes)
	for _, kind := range slices.Sorted(maps.Keys(runBy)) {
		list = append(list, dashboard.ClusterKind{Kind: kind, Waiting: -1, Running: -1, Dead: -1, Processes: runBy[kind], Consumer: true})
	}
	return list
}

// signed returns a number of tasks as the dashboard counts them.
func signed(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // it fits

// Tasks returns outstanding tasks, those that processes have first.
func (s *source) Tasks(ctx context.Context, of dashboard.ClusterSearch) (list dashboard.ClusterTasks, err error) {
	page, err := s.c.List(ctx, nats.Search{Text: of.Text, Kind: of.Kind, Limit: of.Limit})
	if partial, ok := errors.AsType[*nats.PartialError](err); ok {
		list.Note = silence(len(partial.Silent))
	} else if err != nil {
		return list, err
	}
	names, err := s.names(ctx)
	if err != nil {
		return list, err
	}
	list.Total, list.Complete = signed(page.Total), page.Complete
	for i := range page.Tasks {
		list.Tasks = append(list.Tasks, task(&page.Tasks[i], names))
	}
	return list, nil
}

// silence says that processes do not answer.
func silence(n int) string {
	if n == 1 {
		return "One process does not answer, so what it does is unknown."
	}
	return fmt.Sprintf("%d processes do not answer, so what they do is unknown.", n)
}

// names returns the names of the processes by their ids.
func (s *source) names(ctx context.Context) (map[string]string, error) {
	processes, err := s.c.Processes(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(processes))
	for _, p := range processes {
		names[p.ID] = p.Name
	}
	return names, nil
}

// nameOf returns the name of a process, or its id if the process is gone.
func nameOf(id string, names map[string]string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

func task(s *nats.Status, names map[string]string) dashboard.ClusterTask {
	t := dashboard.ClusterTask{
		Name: s.Name, Kind: s.Kind, Key: s.Key, State: state(s), Process: nameOf(s.Process, names),
		Attempt: s.Attempt, Restarts: s.Restarts, Description: s.Description, Progress: s.Progress,
		Queued: s.QueuedAt, Started: s.StartedAt, Due: s.DueAt, Deadline: s.Deadline,
	}
	t.HasProgress = s.Progress != 0 && (s.Status == taskmanager.Running || s.Status == taskmanager.Blocked)
	if s.Level != nats.Normal {
		t.Level = s.Level.String()
	}
	if s.LastError != nil {
		t.Error = s.LastError.Error()
	}
	return t
}

// state returns the state of a task as the dashboard names it.
func state(s *nats.Status) string {
	later := s.DueAt.After(time.Now())
	switch {
	case s.Status == taskmanager.NotAssigned && later:
		return "delayed"
	case s.Status == taskmanager.Restarted && later:
		return "restarting"
	case s.Status == taskmanager.NotAssigned || s.Status == taskmanager.Restarted:
		return "queued"
	}
	return string(s.Status)
}

// DeadLetters returns dead letters, the newest first.
func (s *source) DeadLetters(ctx context.Context, of dashboard.ClusterSearch) (list dashboard.ClusterDeadLetters, err error) {
	page, err := s.c.LatestDeadLetters(ctx, nats.Search{Text: of.Text, Kind: of.Kind, Limit: of.Limit})
	if err != nil {
		return list, err
	}
	names, err := s.names(ctx)
	if err != nil {
		return list, err
	}
	list.Total, list.Complete = signed(page.Total), page.Complete
	for _, d := range page.Letters {
		list.Letters = append(list.Letters, dashboard.DeadLetter{
			ID: strconv.FormatUint(d.Seq, 10), Kind: d.Kind, Name: d.Name, Reason: d.Reason, Attempts: d.Attempts, Process: nameOf(d.Process, names), At: d.At,
		})
	}
	return list, nil
}

// Cancel cancels a task.
func (s *source) Cancel(ctx context.Context, name string) (bool, error) { return s.c.Cancel(ctx, name) }

// Retry submits the task of a dead letter again.
func (s *source) Retry(ctx context.Context, l dashboard.DeadLetter) error {
	d, err := letter(l)
	if err == nil {
		_, err = s.c.Retry(ctx, d)
	}
	return err
}

// Delete deletes a dead letter.
func (s *source) Delete(ctx context.Context, l dashboard.DeadLetter) error {
	d, err := letter(l)
	if err == nil {
		err = s.c.Delete(ctx, d)
	}
	return err
}

// letter returns the dead letter that a browser names. The client compares its name with that of
// the sequence. Tasks of this package have a kind; a client would not compare an empty one.
func letter(l dashboard.DeadLetter) (nats.DeadLetter, error) {
	seq, err := strconv.ParseUint(l.ID, 10, 64)
	if err != nil || seq == 0 || l.Kind == "" || l.Name == "" {
		return nats.DeadLetter{}, fmt.Errorf("%w: %.40q is no dead letter with that name and kind", nats.ErrNotFound, l.ID)
	}
	return nats.DeadLetter{Seq: seq, Kind: l.Kind, Name: l.Name}, nil
}
