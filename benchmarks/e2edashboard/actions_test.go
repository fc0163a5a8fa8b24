package e2edashboard_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// words are those on the buttons of actions.
var words = []string{"Cancel task", "Pause manager", "Change bounds", "Run now", "Retry", "Delete"}

// buttons are the words on the buttons of the page.
const buttons = `[...document.querySelectorAll('main button')].map(b => b.innerText)`

// click clicks the button with a word, as soon as it is there.
func (b *tab) click(within, word string) {
	b.t.Helper()
	found := `[...document.querySelectorAll(` + quote(within+" button") + `)].find(b => b.innerText === ` + quote(word) + `)`
	b.until(found)
	eval[any](b, found+`.click(), null`)
}

// ask clicks the button of an action, and waits for the question.
func (b *tab) ask(word string) {
	b.t.Helper()
	b.click("main", word)
	b.until(`document.querySelector('#ask')?.open && document.querySelector('#ask form')`)
	if diff := cmp.Diff([]violation(nil), b.violations(readAxe(b.t)), cmpopts.EquateEmpty()); diff != "" {
		b.t.Errorf("accessibility of the question of %s (-want +got):\n%s", word, diff)
	}
}

// confirm answers the question, and waits until the page says what was done.
func (b *tab) confirm(word, done string) {
	b.t.Helper()
	b.click("#ask", word)
	b.until(`!document.querySelector('#ask').open && document.querySelector('#status').innerText.includes(` + quote(done) + `)`)
}

// The buttons of the page do what they say. The subtests share a program, and go on from one another.
func TestActions(t *testing.T) {
	b := browser(t)
	p := launch(t)
	t.Run("cancel", func(t *testing.T) { checkCancel(t, open(b, t, 1280, 900), p) })
	t.Run("leave", func(t *testing.T) { checkLeave(t, open(b, t, 1280, 900), p) })
	t.Run("resize", func(t *testing.T) { checkResize(t, open(b, t, 1280, 900), p) })
	t.Run("run", func(t *testing.T) { checkRun(t, open(b, t, 1280, 900), p) })
	t.Run("pause and resume", func(t *testing.T) { checkPause(t, open(b, t, 1280, 900), p) })
}

// checkCancel cancels a task from its page.
func checkCancel(t *testing.T, b *tab, p *program) {
	task := p.submit("report/cancelled", stay, taskmanager.WithDelay(time.Hour))
	b.visit(p.url("#/images/task?name=report%2Fcancelled"), "Cancel task")
	b.ask("Cancel task")
	b.confirm("Cancel task", "report/cancelled was cancelled")
	b.untilText("This task has ended")
	select {
	case <-task.Done():
	default:
		t.Error("the task is not cancelled")
	}
}

// checkLeave answers a question with no.
func checkLeave(t *testing.T, b *tab, p *program) {
	task := p.submit("report/left", stay, taskmanager.WithDelay(time.Hour))
	defer task.Cancel()
	b.visit(p.url("#/images/task?name=report%2Fleft"), "Cancel task")
	b.ask("Cancel task")
	b.click("#ask", "Leave as it is")
	b.until(`!document.querySelector('#ask').open`)
	select {
	case <-task.Done():
		t.Error("the task is cancelled, although the answer was no")
	default:
	}
}

// checkResize changes the bounds of the number of workers.
func checkResize(t *testing.T, b *tab, p *program) {
	b.visit(p.url("#/images/workers"), "The scaler may have 2 to 6.")
	b.ask("Change bounds")
	if got := eval[[]string](b, `[...document.querySelectorAll('#ask input')].map(i => i.name + ' ' + i.value)`); !slices.Equal(got, []string{"min 2", "max 6"}) {
		t.Errorf("the question begins with %q, want the present bounds", got)
	}
	eval[any](b, `document.querySelector('#ask [name=min]').value = '1', document.querySelector('#ask [name=max]').value = '4', null`)
	b.confirm("Change bounds", "The bounds were changed.")
	b.untilText("The scaler may have 1 to 4.")
	if got := p.managers[images].Snapshot(); got.Min != 1 || got.Max != 4 {
		t.Errorf("the manager has the bounds %d and %d, want 1 and 4", got.Min, got.Max)
	}
}

// checkPause pauses the manager and lets it go on.
func checkPause(t *testing.T, b *tab, p *program) {
	m := p.managers[images]
	b.visit(p.url("#/images/overview"), "Pause manager")
	b.ask("Pause manager")
	b.confirm("Pause manager", "images was paused.")
	b.untilText("The manager is paused.")
	b.until(`document.querySelector('header').innerText.includes('paused')`)
	if got := m.Describe().State; got != observe.StatePaused {
		t.Errorf("the manager is %s, want paused", got)
	}
	b.ask("Resume manager")
	b.confirm("Resume manager", "images was resumed.")
	b.untilText("No task runs, and none waits.")
	if got := m.Describe().State; got != observe.StateRunning {
		t.Errorf("the manager is %s, want running", got)
	}
}

// runs is a task that tells of its runs.
type runs chan struct{}

func (runs) Name() string { return "report" }

func (r runs) Execute(context.Context) error {
	r <- struct{}{}
	return nil
}

// checkRun runs a schedule before its time.
func checkRun(t *testing.T, b *tab, p *program) {
	ran := make(runs, 9)
	schedule, err := p.managers[images].Every(t.Context(), time.Hour, ran)
	if err != nil {
		t.Fatal(err)
	}
	defer schedule.Stop()
	b.visit(p.url("#/images/schedules"), "has not run yet")
	b.ask("Run now")
	b.confirm("Run now", "report was submitted.")
	select {
	case <-ran:
	case <-time.After(patience):
		t.Fatal("the schedule does not run")
	}
	b.untilText("succeeded")
}

// A dashboard without actions says so, and offers none.
func TestReadOnly(t *testing.T) {
	b := browser(t)
	p := launch(t, func(p *program) { p.readOnly = true })
	p.fill()
	tab := open(b, t, 1280, 900)
	for _, at := range []place{
		{"#/images/overview", "Longest running tasks"},
		{"#/images/task?name=" + url.QueryEscape(victim), "Now"},
		{"#/images/workers", "no. 1"},
		{"#/images/schedules", "schedule"},
		{"#/images/scaling", "Decisions"},
		{"#/" + url.PathEscape(shop) + "/tasks", victim},
		{"#/" + url.PathEscape(shop) + "/dead", escaped},
	} {
		tab.visit(p.url(at.route), at.text)
		tab.until(`document.querySelector('header').innerText.includes('read-only')`)
		for _, word := range eval[[]string](tab, buttons) {
			if slices.Contains(words, word) {
				t.Errorf("%s: the button %q", at.route, word)
			}
		}
	}
}
