package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestInvalidOptionsPanic(t *testing.T) {
	collector, lonely := dashboard.NewCollector(), dashboard.NewCollector()
	m := start(t, taskmanager.WithObserver(collector))
	shared := dashboard.NewCollector()
	start(t, taskmanager.WithObserver(shared))
	start(t, taskmanager.WithObserver(shared))
	other := start(t, taskmanager.WithQueue(taskmanager.Fair(nil)))
	ok := dashboard.Manager("m", m)
	allow := func(*http.Request, dashboard.Action, string) error { return nil }
	for _, c := range []struct {
		want string
		opts []dashboard.Option
	}{
		{"there is no manager to show", nil},
		{"option 2 is nil", []dashboard.Option{ok, nil}},
		{"the name is empty", []dashboard.Option{dashboard.Manager("", m)}},
		{"use printable characters", []dashboard.Option{dashboard.Manager("a\u202eb", m)}},
		{"at most 400 bytes", []dashboard.Option{dashboard.Manager(strings.Repeat("a", 401), m)}},
		{`the name "m" is given twice`, []dashboard.Option{ok, ok}},
		{`the manager "m" is nil`, []dashboard.Option{dashboard.Manager("m", nil)}},
		{"there are 2 collectors", []dashboard.Option{dashboard.Manager("m", m, collector, lonely)}},
		{"observes no manager; start the manager with taskmanager.WithObserver", []dashboard.Option{dashboard.Manager("m", m, lonely)}},
		{"is that of another manager", []dashboard.Option{dashboard.Manager("m", m, collector), dashboard.Manager("n", m, collector)}},
		{"observes 2 managers", []dashboard.Option{dashboard.Manager("m", m, shared)}},
		{"the label is empty", []dashboard.Option{ok, dashboard.Schedule("", nil)}},
		{`the schedule "s" is nil`, []dashboard.Option{ok, dashboard.Schedule("s", nil)}},
		{"no http or https URL", []dashboard.Option{ok, dashboard.TraceURL("javascript:alert('{trace_id}')")}},
		{"no http or https URL", []dashboard.Option{ok, dashboard.TraceURL("https://{trace_id}.example.com")}},
		{"no http or https URL", []dashboard.Option{ok, dashboard.TraceURL("//example.com/{trace_id}")}},
		{"no http or https URL", []dashboard.Option{ok, dashboard.TraceURL("https:/{trace_id}")}},
		{"no http or https URL", []dashboard.Option{ok, dashboard.TraceURL("data:text/html,{trace_id}")}},
		{"does not contain {trace_id}", []dashboard.Option{ok, dashboard.TraceURL("https://example.com")}},
		{"the title is empty", []dashboard.Option{ok, dashboard.Title("")}},
		{"cannot be shown", []dashboard.Option{ok, dashboard.Title("a\x00")}},
		{`"*" is no host name`, []dashboard.Option{ok, dashboard.Hosts("*")}},
		{`"a.example:80" is no host name`, []dashboard.Option{ok, dashboard.Hosts("b.example", "a.example:80")}},
		{`"http://a.example" is no host name`, []dashboard.Option{ok, dashboard.Hosts("http://a.example")}},
		{`"" is no host name`, []dashboard.Option{ok, dashboard.Hosts("")}},
		{`"ä.example" is no host name`, []dashboard.Option{ok, dashboard.Hosts("ä.example")}},
		{"the function that allows actions is nil", []dashboard.Option{ok, dashboard.Actions(nil, dashboard.Cancel)}},
		{"there is no action", []dashboard.Option{ok, dashboard.Actions(allow)}},
		{`"cancel" is given twice`, []dashboard.Option{ok, dashboard.Actions(allow, dashboard.Cancel, dashboard.Pause, dashboard.Cancel)}},
		{"there is no name; leave the option out", []dashboard.Option{ok, dashboard.Hosts()}},
		{`the manager of "n" has another name too`, []dashboard.Option{ok, dashboard.Manager("n", m)}},
		{`the collector of "n" observes another manager`, []dashboard.Option{dashboard.Manager("n", other, collector)}},
		{"Cluster: the name is empty", []dashboard.Option{dashboard.Cluster("", new(fakeCluster))}},
		{"use printable characters", []dashboard.Option{dashboard.Cluster("a\nb", new(fakeCluster))}},
		{`the source of "c" is nil`, []dashboard.Option{dashboard.Cluster("c", nil)}},
		{`the name "c" is given twice`, []dashboard.Option{dashboard.Cluster("c", new(fakeCluster)), dashboard.Cluster("c", new(fakeCluster))}},
		{`the name "m" is given twice`, []dashboard.Option{ok, dashboard.Cluster("m", new(fakeCluster))}},
		{`"resume" is no action`, []dashboard.Option{ok, dashboard.Actions(allow, "resume")}},
	} {
		func() {
			defer func() {
				err, _ := recover().(error)
				if err == nil || !strings.HasPrefix(err.Error(), "dashboard: ") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("New panics with %v, want an error with %q", err, c.want)
				}
			}()
			dashboard.New(c.opts...).Close()
		}()
	}
}

func TestMeta(t *testing.T) {
	c := dashboard.NewCollector()
	m := start(t, taskmanager.WithObserver(c), taskmanager.WithLimit(9, taskmanager.Reject))
	n := start(t, taskmanager.WithQueue(taskmanager.Fair(nil)))
	allow := func(*http.Request, dashboard.Action, string) error { return nil }
	d := show(t, dashboard.Manager("images", m, c), dashboard.Manager("mails", n, nil), dashboard.Title("My <tasks>"),
		dashboard.TraceURL("https://traces.example.com/{trace_id}"), dashboard.Actions(allow, dashboard.Cancel, dashboard.Pause))
	type manager struct {
		Name                        string
		Collector, Fair             bool
		State, Discipline, Overflow string
		Limit                       int
	}
	type meta struct {
		Title, TraceURL string
		Actions         []string
		Managers        []manager
	}
	equal(t, "meta", get[meta](t, d, "meta"), meta{
		"My <tasks>", "https://traces.example.com/{trace_id}", []string{"cancel", "pause"}, []manager{
			{"images", true, false, "running", "FIFO", "Reject", 9}, {"mails", false, true, "running", "Fair", "", -1},
		},
	})
	equal(t, "columns", get[struct{ Columns []string }](t, d, "meta").Columns, strings.Fields(
		"t workers busy lent target queued blocked delayed restarting oldest started succeeded failed cancelled restarts lost "+
			"wait50 wait95 wait99 run50 run95 run99"))
	if page := do(t, d, http.MethodGet, "/", "").Body.String(); !strings.Contains(page, "<title>My &lt;tasks&gt;</title>") {
		t.Errorf("the title is not escaped in %s", page)
	}
}
