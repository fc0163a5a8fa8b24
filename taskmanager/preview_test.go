package taskmanager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestNextIsTheOrderOfTheStarts: under each discipline, tasks start in the order that Next has told, without
// one that was cancelled.
func TestNextIsTheOrderOfTheStarts(t *testing.T) {
	for _, d := range []taskmanager.Discipline{
		taskmanager.FIFO(), taskmanager.LIFO(), taskmanager.Priority(0), taskmanager.Priority(2), taskmanager.Deadline(time.Hour),
		taskmanager.Fair(func(key string) int { return 1 + len(key) }),
		taskmanager.LimitByKey(100, taskmanager.Priority(0)),
		taskmanager.CoDel(taskmanager.CoDelConfig{Target: time.Hour, Interval: 2 * time.Hour}),
	} {
		t.Run(d.String(), func(t *testing.T) {
			m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(d))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Stop(context.Background()) }()
			ctx, release := context.WithCancel(t.Context())
			first := submitted(t, m, "first", func(context.Context) error { <-ctx.Done(); return nil })
			<-first.Started()
			var mu sync.Mutex
			var started []string
			for i := range 40 {
				name := fmt.Sprint("task ", i)
				submitted(t, m, name, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					started = append(started, name)
					return nil
				}, taskmanager.WithKey([]string{"a", "bb", "cccc"}[i*7%3]), taskmanager.WithPriority(i*5%4), taskmanager.WithDelay(0),
					taskmanager.WithCost(int64(1+i%3)), taskmanager.WithDeadline(time.Now().Add(time.Hour+time.Duration(i*11%40)*time.Minute)))
			}
			want := 40
			if d.String() != "Fair" { // see Next
				m.Cancel("task 17")
				want--
			}
			tasks, ok := m.Next(1 << 30)
			if !ok || len(tasks) != want {
				t.Fatalf("Next told %d tasks, %v; want %d", len(tasks), ok, want)
			}
			var told []string
			for _, h := range tasks {
				told = append(told, h.Name())
			}
			few, _ := m.Next(5)
			check.Equal(t, "the first five", namesOf(few), told[:5])
			release()
			if err := m.WaitIdle(t.Context()); err != nil {
				t.Fatal(err)
			}
			check.Equal(t, "the order of the starts", started, told)
			none, ok := m.Next(10)
			if !ok || len(none) != 0 {
				t.Errorf("of an idle manager, Next told %d tasks, %v", len(none), ok)
			}
		})
	}
}

func namesOf(tasks []*taskmanager.Handle) (all []string) {
	for _, h := range tasks {
		all = append(all, h.Name())
	}
	return all
}

// submitted submits a function.
func submitted(t *testing.T, m *taskmanager.TaskManager, name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
	t.Helper()
	h, err := m.SubmitFunc(t.Context(), name, fn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestNextWithoutHeldTasks: tasks that a limit holds back are not next.
func TestNextWithoutHeldTasks(t *testing.T) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Stop(context.Background()) }()
	block := func(ctx context.Context) error { <-ctx.Done(); return nil }
	<-submitted(t, m, "runs", block, taskmanager.WithKey("a")).Started()
	submitted(t, m, "held", block, taskmanager.WithKey("a"))
	submitted(t, m, "free", block, taskmanager.WithKey("b"))
	tasks, _ := m.Next(10)
	check.Equal(t, "the next tasks", namesOf(tasks), []string{"free"})
}

// opaque is a queue that cannot tell its order.
type opaque struct {
	queue.Queue[*taskmanager.Handle]
	queue.Remover[*taskmanager.Handle]
}

func TestNextOfAnOpaqueQueue(t *testing.T) {
	for what, wrap := range map[string]func(taskmanager.Discipline) taskmanager.Discipline{
		"alone":        func(d taskmanager.Discipline) taskmanager.Discipline { return d },
		"behind a key": func(d taskmanager.Discipline) taskmanager.Discipline { return taskmanager.LimitByKey(1, d) },
	} {
		m, err := taskmanager.Start(taskmanager.WithQueue(wrap(taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] {
			q := queue.NewFIFO[*taskmanager.Handle]()
			return opaque{q, q.(queue.Remover[*taskmanager.Handle])}
		}))))
		if err != nil {
			t.Fatal(err)
		}
		if tasks, ok := m.Next(1); ok || tasks != nil {
			t.Errorf("%s: Next told %v, %v", what, tasks, ok)
		}
		m.Close()
	}
}

func TestWeight(t *testing.T) {
	weight := func(key string) int {
		if key == "crash" {
			panic(key)
		}
		return len(key)
	}
	for _, c := range []struct {
		d    taskmanager.Discipline
		key  string
		want int
		ok   bool
	}{
		{taskmanager.FIFO(), "a", 0, false},
		{taskmanager.Fair(nil), "a", 1, true},
		{taskmanager.Fair(weight), "abc", 3, true},
		{taskmanager.Fair(weight), "", 0, true},
		{taskmanager.Fair(weight), "crash", 0, true},
		{taskmanager.LimitByKey(1, taskmanager.Fair(weight)), "abc", 3, true},
	} {
		m, err := taskmanager.Start(taskmanager.WithQueue(c.d))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.Weight(c.key); got != c.want || ok != c.ok {
			t.Errorf("%v: the weight of %q is %d, %v; want %d, %v", c.d, c.key, got, ok, c.want, c.ok)
		}
		m.Close()
	}
}
