package dashboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// act asks for an action, and returns the status and the answer.
func act(t *testing.T, h http.Handler, body string, headers ...string) (status int, answer string) {
	t.Helper()
	w := do(t, h, http.MethodPost, "/api/v1/actions", body, append([]string{"Content-Type", "application/json"}, headers...)...)
	return w.Code, w.Body.String()
}

func TestReadOnlyByDefault(t *testing.T) {
	m, d := watched(t)
	h := submit(t, m, "x", untilCancelled)
	for _, body := range []string{
		`{"action":"cancel","name":"x"}`, `{"action":"pause"}`, `{"action":"resume"}`,
		`{"action":"resize","min":1,"max":2}`, `{"action":"run","name":"x"}`, `nonsense`,
	} {
		if status, answer := act(t, d, body); status != http.StatusForbidden || !strings.Contains(answer, "read-only") {
			t.Errorf("%s: status %d, %s", body, status, answer)
		}
	}
	equal(t, "actions", get[struct{ Actions []string }](t, d, "meta").Actions, []string{})
	if h.Err() != nil || m.Describe().State != "running" {
		t.Error("something was done")
	}
}

// permit allows requests with a user, and notes what it is asked.
type permit struct{ asked []string }

func (p *permit) allow(r *http.Request, a dashboard.Action, task string) error {
	p.asked = append(p.asked, fmt.Sprintf("%s %q", a, task))
	if r.Header.Get("X-User") == "" {
		return errors.New("nobody is logged in, says the secret book")
	}
	return nil
}

func TestActions(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	p := new(permit)
	d := show(t, dashboard.Manager("m", m), dashboard.Actions(p.allow, dashboard.Cancel, dashboard.Resize))
	h := submit(t, m, "x", untilCancelled)
	const cancel = `{"manager":"m","action":"cancel","name":"x"}`
	user := []string{"X-User", "a"}
	with := func(headers ...string) []string { return append(headers, user...) }
	for _, c := range []struct {
		what, body string
		headers    []string
		want       int
	}{
		{"nobody", cancel, nil, 403},
		{"text", cancel, with("Content-Type", "text/plain"), 415},
		{"a form", cancel, with("Content-Type", "application/x-www-form-urlencoded"), 415},
		{"no type", cancel, with("Content-Type", ""), 415},
		{"another origin", cancel, with("Origin", "http://evil.example"), 403},
		{"another site", cancel, with("Sec-Fetch-Site", "cross-site"), 403},
		{"a sibling site", cancel, with("Sec-Fetch-Site", "same-site"), 403},
		{"another host", cancel, with("Host", "evil.example"), 421},
		{"long", `{"manager":"m","action":"cancel","name":"` + strings.Repeat("x", 8<<10) + `"}`, user, 413},
		{"no JSON", `cancel x`, user, 400},
		{"a list", `[]`, user, 400},
		{"two values", cancel + cancel, user, 400},
		{"another type", `{"manager":"m","action":"cancel","name":7}`, user, 400},
		{"no action", `{"manager":"m","name":"x"}`, user, 400},
		{"unknown action", `{"manager":"m","action":"destroy","name":"x"}`, user, 400},
		{"an action of clusters", `{"manager":"m","action":"delete","name":"x","kind":"k","letter":"1"}`, user, 403},
		{"no name", `{"manager":"m","action":"cancel"}`, user, 400},
		{"no bounds", `{"manager":"m","action":"resize","min":1}`, user, 400},
		{"bad bounds", `{"manager":"m","action":"resize","min":3,"max":2}`, user, 409},
		{"not enabled", `{"manager":"m","action":"pause"}`, user, 403},
		{"not enabled either", `{"manager":"m","action":"resume"}`, user, 403},
		{"no manager", `{"action":"cancel","name":"x"}`, user, 400},
		{"unknown manager", `{"manager":"n","action":"cancel","name":"x"}`, user, 404},
		{"unknown task", `{"manager":"m","action":"cancel","name":"y"}`, user, 404},
		{"resize", `{"manager":"m","action":"resize","min":1,"max":7}`, user, 204},
		{"cancel", cancel, with("Content-Type", "application/json; charset=utf-8"), 204},
	} {
		w := do(t, d, http.MethodPost, "/api/v1/actions", c.body, append([]string{"Content-Type", "application/json"}, c.headers...)...)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d, %s", c.what, w.Code, c.want, w.Body)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: the answer has the reason of the program: %s", c.what, w.Body)
		}
		if w.Code >= 400 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: the answer is not JSON: %s", c.what, w.Body)
		}
	}
	<-h.Done()
	equal(t, "maximum", m.Snapshot().Max, 7)
	equal(t, "what was asked", p.asked, []string{
		`cancel "x"`, `resize ""`, `cancel "y"`, `resize ""`, `cancel "x"`,
	})
}

func TestPauseAndRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, err := taskmanager.Start()
		if err != nil {
			t.Fatal(err)
		}
		ran := 0
		report := func(context.Context) error { ran++; return nil }
		s, err := m.Every(t.Context(), time.Hour, function{"report", report})
		if err != nil {
			t.Fatal(err)
		}
		p := new(permit)
		d := show(t, dashboard.Manager("m", m), dashboard.Actions(p.allow, dashboard.Pause, dashboard.Run))
		want := func(body string, want int) {
			t.Helper()
			if got, answer := act(t, d, body, "X-User", "a"); got != want {
				t.Errorf("%s: status %d, want %d, %s", body, got, want, answer)
			}
			synctest.Wait()
		}
		want(`{"manager":"m","action":"run","name":"report"}`, 204)
		equal(t, "runs", ran, 1)
		want(`{"manager":"m","action":"run","name":"nothing"}`, 404)
		want(`{"manager":"m","action":"pause"}`, 204)
		equal(t, "state", string(m.Describe().State), "paused")
		want(`{"manager":"m","action":"run","name":"report"}`, 204)
		want(`{"manager":"m","action":"run","name":"report"}`, 409) // it is outstanding
		equal(t, "runs of a paused manager", ran, 1)
		want(`{"manager":"m","action":"resume"}`, 204)
		equal(t, "runs", ran, 2)
		s.Stop()
		want(`{"manager":"m","action":"run","name":"report"}`, 404)
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		want(`{"manager":"m","action":"pause"}`, 409)
		equal(t, "what was asked", p.asked, []string{
			`run "report"`, `run "nothing"`, `pause ""`, `run "report"`, `run "report"`, `pause ""`, `run "report"`, `pause ""`,
		})
	})
}

// function is a task that calls a function.
type function struct {
	name string
	f    func(context.Context) error
}

func (f function) Name() string                      { return f.name }
func (f function) Execute(ctx context.Context) error { return f.f(ctx) }

func TestActionsAreLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	m := start(t)
	d := show(t, dashboard.Manager("m", m), dashboard.Actions(new(permit).allow, dashboard.Cancel))
	h := submit(t, m, "x\n\u202ey", untilCancelled)
	const body = `{"manager":"m","action":"cancel","name":"x\n\u202ey"}`
	act(t, d, body)
	act(t, d, `{"manager":"m","action":"cancel","name":"y"}`, "X-User", "a")
	act(t, d, body, "X-User", "a")
	<-h.Done()
	for i, want := range []string{
		`level=WARN msg="dashboard: an action was refused" manager=m action=cancel remote=192.0.2.1:1234 task=x\n\u202ey error="nobody is logged in, says the secret book"`,
		`level=WARN msg="dashboard: an action failed" manager=m action=cancel remote=192.0.2.1:1234 task=y error="no task of that name is outstanding"`,
		`level=INFO msg="dashboard: an action was done" manager=m action=cancel remote=192.0.2.1:1234 task=x\n\u202ey`,
	} {
		lines := strings.Split(log.String(), "\n")
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d of the log does not have %s:\n%s", i+1, want, log.String())
		}
	}
}

// The URL of the request that allow gets always names the manager of the action, so it can decide by that.
func TestAllowSeesTheManager(t *testing.T) {
	m, n := start(t), start(t)
	var asked []string
	allow := func(r *http.Request, _ dashboard.Action, _ string) error {
		asked = append(asked, r.URL.Query().Get("m"))
		if r.URL.Query().Get("m") != "m&n" {
			return errors.New("no")
		}
		return nil
	}
	d := show(t, dashboard.Manager("m", m), dashboard.Manager("m&n", n), dashboard.Actions(allow, dashboard.Pause))
	for _, c := range []struct {
		args, manager string
		want          int
	}{
		{"", "m&n", 204}, {"?m=m%26n", "m&n", 204}, {"?x=y&m=m%26n", "m&n", 204}, {"", "m", 403}, {"?m=m", "m", 403},
		{"?m=m%26n", "m", 400}, {"?m=", "m", 400}, {"?m=m%26n&m=m", "m", 400}, {"?m=m%26n&m=m", "m&n", 400}, {"?m=m;x", "m", 400}, {"?m=n", "n", 404},
	} {
		body := fmt.Sprintf(`{"manager":%q,"action":"pause"}`, c.manager)
		if w := do(t, d, http.MethodPost, "/api/v1/actions"+c.args, body, "Content-Type", "application/json"); w.Code != c.want {
			t.Errorf("actions%s for %s: status %d, want %d, %s", c.args, c.manager, w.Code, c.want, w.Body)
		}
	}
	equal(t, "what allow saw", asked, []string{"m&n", "m&n", "m&n", "m", "m"})
	equal(t, "states", []string{string(m.Describe().State), string(n.Describe().State)}, []string{"running", "paused"})
}

// Each name that has a page can be cancelled, however JSON escapes it.
func TestLongNamesCanBeCancelled(t *testing.T) {
	m := start(t)
	d := show(t, dashboard.Manager("m", m), dashboard.Actions(new(permit).allow, dashboard.Cancel))
	for length, page := range map[int]bool{600: true, 601: false} {
		name := strings.Repeat("\x01", length)
		h := submit(t, m, name, untilCancelled)
		<-h.Started()
		id := get[struct{ Workers []struct{ TaskID string } }](t, d, "workers").Workers[0].TaskID
		equal(t, "there is a page", id != "", page)
		if page {
			body := `{"manager":"m","action":"cancel","name":"` + strings.Repeat("\\u0001", length) + `"}`
			if status, answer := act(t, d, body, "X-User", "a"); status != http.StatusNoContent {
				t.Errorf("status %d, %s", status, answer)
			}
		}
		h.Cancel()
		<-h.Done()
	}
}

// A refusal that the function of the program does not decide, and a panic of it, are logged too.
func TestRefusalsAreLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	m := start(t)
	allow := func(*http.Request, dashboard.Action, string) error { panic("the list of users is lost") }
	readOnly := show(t, dashboard.Manager("m", m))
	d := show(t, dashboard.Manager("m", m), dashboard.Actions(allow, dashboard.Cancel))
	for _, c := range []struct {
		d          *dashboard.Dashboard
		body, want string
	}{
		{readOnly, `nonsense`, `level=WARN msg="dashboard: an action was refused" remote=192.0.2.1:1234 error="the dashboard is read-only`},
		{d, `{"manager":"m","action":"pause"}`, `level=WARN msg="dashboard: an action was refused" manager=m action=pause remote=192.0.2.1:1234 error="the action is not allowed`},
		{d, `{"manager":"m","action":"cancel","name":"x"}`, `task=x error="the function that allows actions panicked: the list of users is lost`},
	} {
		log.Reset()
		status, answer := act(t, c.d, c.body)
		if status != http.StatusForbidden || strings.Contains(answer, "users") || !strings.Contains(log.String(), c.want) || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%s: status %d, %s; the log has no %s:\n%s", c.body, status, answer, c.want, log.String())
		}
	}
}
