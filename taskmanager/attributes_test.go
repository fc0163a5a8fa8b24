package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// asked is a task that records the calls of its attribute methods.
type asked struct {
	task
	questions []string
	answer    func(question string) // if not nil, called by each method
	deadline  time.Time
	cost      int64
}

func (a *asked) note(question string) {
	a.questions = append(a.questions, question)
	if a.answer != nil {
		a.answer(question)
	}
}

func (a *asked) Priority() int { a.note("Priority"); return 7 }
func (a *asked) Key() string   { a.note("Key"); return "method" }
func (a *asked) Cost() int64   { a.note("Cost"); return a.cost }

func (a *asked) Deadline() (time.Time, bool) { a.note("Deadline"); return a.deadline, true }

var tomorrow = time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)

func newAsked(name string) *asked { return &asked{task: task{name: name}, cost: 5, deadline: tomorrow} }

// TestAttributesAreKnownUnderEachDiscipline checks that each method is called once, at the
// submit, whether the discipline uses the attribute or not, and that the status and the history
// show the results.
func TestAttributesAreKnownUnderEachDiscipline(t *testing.T) {
	for name, d := range map[string]taskmanager.Discipline{
		"FIFO":       taskmanager.FIFO(),
		"LIFO":       taskmanager.LIFO(),
		"CoDel":      taskmanager.CoDel(taskmanager.CoDelConfig{}),
		"Priority":   taskmanager.Priority(3),
		"Deadline":   taskmanager.Deadline(time.Second),
		"Fair":       taskmanager.Fair(nil),
		"LimitByKey": taskmanager.LimitByKey(1, taskmanager.Priority(0)),
		"Custom":     taskmanager.Custom(queue.NewFIFO[*taskmanager.Handle]),
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, taskmanager.WithQueue(d), taskmanager.WithRestart(fixedDelay(0)), taskmanager.WithHistory(1))
			a := newAsked("a")
			failures := 3
			a.execute = func(context.Context) error {
				if failures--; failures >= 0 {
					return errFailed
				}
				return nil
			}
			a.restart = func(context.Context, error) bool { return true }
			h := submit(t, m, a)
			await(t, h)
			check.Equal(t, "questions", a.questions, []string{"Priority", "Key", "Cost", "Deadline"})
			deadline, ok := h.Deadline()
			check.Equal(t, "cost", h.Cost(), 5)
			check.Equal(t, "deadline", ok && deadline.Equal(tomorrow), true)
			for what, s := range map[string]taskmanager.TaskStatus{"status": h.Status(), "record": m.History()[0].TaskStatus} {
				check.Equal(t, what+": key", s.Key, "method")
				check.Equal(t, what+": priority", s.Priority, 7)
				check.Equal(t, what+": attempt", s.Attempt, 4)
				check.Equal(t, what+": kind", s.Kind, "*taskmanager_test.asked")
			}
		})
	}
}

// TestFunctionsOfDisciplinesAreCalledOnlyIfSet checks that a discipline without functions of the key
// asks nothing, and that one with such a function asks for every task.
func TestFunctionsOfDisciplinesAreCalledOnlyIfSet(t *testing.T) {
	var keys []string
	note := func(key string) int { keys = append(keys, key); return 1 }
	for name, test := range map[string]struct {
		discipline taskmanager.Discipline
		want       []string
	}{
		"Fair without weights": {taskmanager.Fair(nil), nil},
		"Fair":                 {taskmanager.Fair(note), []string{"", "method"}},
		"LimitByKeyFunc":       {taskmanager.LimitByKeyFunc(note, taskmanager.FIFO()), []string{"", "method"}},
	} {
		t.Run(name, func(t *testing.T) {
			keys = nil
			m := start(t, taskmanager.WithQueue(test.discipline))
			await(t, submitFunc(t, m, "function", fn0))
			await(t, submit(t, m, newAsked("task")))
			check.Equal(t, "keys", keys, test.want)
		})
	}
}

// TestOptionsWinOverMethods checks that an option overrides a method, and that attributes
// given by neither have defaults.
func TestOptionsWinOverMethods(t *testing.T) {
	m := start(t, taskmanager.WithQueue(taskmanager.Custom(queue.NewFIFO[*taskmanager.Handle])))
	show := func(h *taskmanager.Handle) string {
		deadline, ok := h.Deadline()
		return fmt.Sprint(h.Priority(), h.Key(), h.Cost(), deadline.Unix(), ok)
	}
	later := tomorrow.Add(time.Hour)
	none := submitFunc(t, m, "none", fn0)
	methods := submit(t, m, newAsked("methods"))
	options := submit(t, m, newAsked("options"), taskmanager.WithPriority(0), taskmanager.WithKey("option"),
		taskmanager.WithCost(9), taskmanager.WithDeadline(later))
	one := submit(t, m, newAsked("one"), taskmanager.WithKey(""))
	check.Equal(t, "attributes", []string{show(none), show(methods), show(options), show(one)}, []string{
		fmt.Sprint(0, "", 1, time.Time{}.Unix(), false),
		fmt.Sprint(7, "method", 5, tomorrow.Unix(), true),
		fmt.Sprint(0, "option", 9, later.Unix(), true),
		fmt.Sprint(7, "", 5, tomorrow.Unix(), true),
	})
}

// TestBadAttributesAreErrors checks that the submit returns an error that names the faulty
// method or option, and that the name stays free.
func TestBadAttributesAreErrors(t *testing.T) {
	all := taskmanager.FIFO()
	panicsAt := func(method string) *asked {
		a := newAsked("a")
		a.answer = func(question string) {
			if question == method {
				panic("attribute")
			}
		}
		return a
	}
	free, timeless := newAsked("a"), newAsked("a")
	free.cost, timeless.deadline = 0, time.Time{}
	weigh := func(key string) int {
		switch key {
		case "method":
			return 0
		case "panic":
			panic("weight")
		}
		return 1
	}
	limited := taskmanager.LimitByKeyFunc(func(key string) int { return weigh(key) - 1 }, taskmanager.FIFO())
	for name, test := range map[string]struct {
		discipline taskmanager.Discipline
		task       *asked
		opts       []taskmanager.TaskOption
		want       []string
	}{
		"Priority panics":  {all, panicsAt("Priority"), nil, []string{"Priority method of *taskmanager_test.asked", "attribute"}},
		"Key panics":       {all, panicsAt("Key"), nil, []string{"Key method of"}},
		"Cost panics":      {all, panicsAt("Cost"), nil, []string{"Cost method of"}},
		"Deadline panics":  {all, panicsAt("Deadline"), nil, []string{"Deadline method of"}},
		"no cost":          {all, free, nil, []string{"Cost method of", "the cost is 0; it must be positive"}},
		"no time":          {all, timeless, nil, []string{"Deadline method of", "the zero time"}},
		"cost option":      {taskmanager.FIFO(), newAsked("a"), []taskmanager.TaskOption{taskmanager.WithCost(-1)}, []string{"WithCost: the cost is -1"}},
		"deadline option":  {taskmanager.FIFO(), newAsked("a"), []taskmanager.TaskOption{taskmanager.WithDeadline(time.Time{})}, []string{"WithDeadline: the deadline is the zero time"}},
		"no weight":        {taskmanager.Fair(weigh), newAsked("a"), nil, []string{`the weight of key "method"`, "0; it must be positive"}},
		"weight panics":    {taskmanager.Fair(weigh), newAsked("a"), []taskmanager.TaskOption{taskmanager.WithKey("panic")}, []string{`key "panic"`, "panicked: weight"}},
		"negative limit":   {limited, newAsked("a"), nil, []string{`the limit of key "method"`, "-1; it must be 1 or more, or 0 for none"}},
		"limit panics":     {limited, newAsked("a"), []taskmanager.TaskOption{taskmanager.WithKey("panic")}, []string{`limit of key "panic"`, "panicked: weight"}},
		"several at once":  {all, free, []taskmanager.TaskOption{taskmanager.WithCost(0), taskmanager.WithKey("b"), nil}, []string{"WithCost: the cost is 0", "task option 3 is nil"}},
		"two methods fail": {all, &asked{task: task{name: "a"}}, nil, []string{"the cost is 0", "the zero time"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, taskmanager.WithQueue(test.discipline))
			h, err := m.Submit(t.Context(), test.task, test.opts...)
			if h != nil || err == nil {
				t.Fatalf("Submit returned %v, %v; want an error", h, err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the text %q lacks %q", err, part)
				}
			}
			if strings.Contains(name, "panics") {
				if _, ok := errors.AsType[*taskmanager.PanicError](err); !ok {
					t.Errorf("the error %v is no *PanicError", err)
				}
			}
			if err := wait(t, submitFunc(t, m, "a", fn0)); err != nil {
				t.Errorf("the next task of that name ended with %v", err)
			}
		})
	}
}
