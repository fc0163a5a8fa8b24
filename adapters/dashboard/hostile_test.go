package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hostile are names that would do harm if they were shown as they are, with what is shown and whether the
// task has a page.
var hostile = []struct {
	name, shown string
	page        bool
}{
	{`<img src=x onerror=alert(1)>`, `<img src=x onerror=alert(1)>`, true},
	{`</script><script>alert(1)</script>`, `</script><script>alert(1)</script>`, true},
	{"{{.Title}}${7*7}", "{{.Title}}${7*7}", true},
	{"../../etc/passwd?a=b&c=d#e%2f", "../../etc/passwd?a=b&c=d#e%2f", true},
	{"gpj.\u202eexe", `gpj.\u202eexe`, true},
	{"a\u2066b\u2069", `a\u2066b\u2069`, true},
	{"line\nbreak\r\x1b[31mred\x00", `line\nbreak\r\x1b[31mred\x00`, true},
	{"invalid \xff\xfe utf-8 \xc3", "invalid \ufffd utf-8 \ufffd", false},
	{strings.Repeat("é", 300), strings.Repeat("é", 198) + "…", true},
	{strings.Repeat("é", 3000), strings.Repeat("é", 198) + "…", false},
	{strings.Repeat("x", 10<<20), strings.Repeat("x", 397) + "…", false},
	{" ", " ", true},
}

// Names, kinds, keys, descriptions and errors may hold anything. Every answer is small and clean, and a
// task can be reached by what its row says.
func TestHostileTexts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLogger(nil))
		for _, h := range hostile {
			opts := []taskmanager.TaskOption{taskmanager.WithKind(h.name), taskmanager.WithKey(h.name), taskmanager.WithDescription(h.name)}
			submit(t, m, h.name, func(context.Context) error { return errors.New(h.name) }, append(opts, taskmanager.WithRestart(restart.Constant(time.Hour)))...)
		}
		synctest.Wait()
		blocker := submit(t, m, hostile[4].name+"!", untilCancelled, taskmanager.WithKind(hostile[4].name))
		<-blocker.Started()

		rows, shown := get[page](t, d, "tasks"), map[string]row{}
		for _, r := range rows.Tasks {
			id := r.Name
			if r.ID != nil {
				id = *r.ID
			}
			shown[r.Name+"\x00"+id] = r
		}
		equal(t, "tasks in the list", len(rows.Tasks), len(hostile)+1)
		for _, h := range hostile {
			checkHostile(t, d, h.name, h.shown, h.page, shown)
		}
		w := get[struct {
			Workers []struct {
				Task, Kind string
				TaskID     *string
			}
		}](t, d, "workers").Workers[0]
		if w.Task != `gpj.\u202eexe!` || w.TaskID == nil || *w.TaskID != "gpj.\u202eexe!" || w.Kind != `gpj.\u202eexe` {
			t.Errorf("the worker is %+v", w)
		}
		for _, place := range []string{"tasks", "history?limit=200", "kinds", "keys", "workers", "overview", "queue", "meta", "decisions", "schedules"} {
			checkClean(t, d, place)
		}
	})
}

// checkHostile checks the row of a task, its page, and searches for it.
func checkHostile(t *testing.T, d http.Handler, name, shown string, hasPage bool, rows map[string]row) {
	t.Helper()
	id := name
	if !hasPage {
		id = ""
	}
	r, ok := rows[shown+"\x00"+id]
	if !ok {
		t.Errorf("there is no row of %.60q", shown)
		return
	}
	if (r.ID != nil) != (name != shown) || r.Kind != shown || r.Key != shown || r.Description != shown {
		t.Errorf("the row of %.60q is %+v", shown, r)
	}
	of := get[struct{ Task *row }](t, d, "task?name="+url.QueryEscape(id)).Task
	equal(t, "there is a page of "+shown, of != nil, hasPage)
	for _, filter := range []string{"kind", "key"} { // by what is shown: a link has nothing else
		p := get[page](t, d, "tasks?"+filter+"="+url.QueryEscape(shown))
		if len(p.Tasks) == 0 || len(p.Tasks) > 2 { // two are shown alike
			t.Errorf("%d tasks have the %s %.60q", len(p.Tasks), filter, shown)
		}
	}
	past := get[history](t, d, "history?limit=200&kind="+url.QueryEscape(shown))
	if len(past.Executions) == 0 || past.Executions[0].Name != shown {
		t.Errorf("the history of the kind %.60q is %+v", shown, past.summary())
	}
}

// checkClean checks that an answer is small, valid, and has no character that is not seen as itself.
func checkClean(t *testing.T, d http.Handler, place string) {
	t.Helper()
	body := do(t, d, http.MethodGet, "/api/v1/"+place, "").Body.String()
	if len(body) > 100_000 || !utf8.ValidString(body) {
		t.Errorf("%s: %d bytes, valid %t", place, len(body), utf8.ValidString(body))
	}
	if strings.ContainsAny(body, "<>&\x00\x1b\r\n") { // so that no browser takes it for HTML
		t.Errorf("%s has characters that JSON can escape", place)
	}
	var answer any
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	checkTexts(t, place, answer)
}

// checkTexts checks all texts of an answer, except those that identify a task and are not shown.
func checkTexts(t *testing.T, place string, answer any) {
	t.Helper()
	switch a := answer.(type) {
	case map[string]any:
		for name, v := range a {
			if name != "id" && name != "taskID" && name != "kindID" {
				checkTexts(t, place+" "+name, v)
			}
		}
	case []any:
		for _, v := range a {
			checkTexts(t, place, v)
		}
	case string:
		lines := strings.NewReplacer("\n", "", "\t", "")
		if strings.ContainsFunc(lines.Replace(a), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) || len(a) > 2000 {
			t.Errorf("%s is %q", place, a)
		}
	}
}
