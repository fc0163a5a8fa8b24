package e2edashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hostile is a name that becomes elements, if a page puts it into its markup.
const hostile = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

// The names of tasks and managers in the program.
const (
	images  = "images"
	mail    = `mail <b>"&amp;`    // a hostile name of a manager
	shop    = `shop <b>%2f"&amp;` // a hostile name of a cluster
	victim  = "transcode/victim.mp4"
	flaky   = "fetch/flaky.jpg"
	hidden  = "invoice\u202efdp.exe" // it reads as another name where its character has effect
	escaped = `invoice\u202efdp.exe`
)

var longName = strings.Repeat("a-name-that-cannot-be-broken/", 13)

// program is a program with a dashboard.
type program struct {
	t         *testing.T
	address   string // host and port, which stay the same after a restart
	managers  map[string]*taskmanager.TaskManager
	cluster   *cluster
	dashboard *dashboard.Dashboard
	through   func(http.Handler) http.Handler // what requests pass first, as a proxy; may be nil
	readOnly  bool
	server    *http.Server
	served    chan error
}

// launch starts a program, which ends with the test. settings change the program before.
func launch(t *testing.T, settings ...func(*program)) *program {
	t.Helper()
	p := &program{t: t, address: "127.0.0.1:0"}
	for _, set := range settings {
		set(p)
	}
	p.start()
	t.Cleanup(p.stop)
	return p
}

// start starts the managers and the server.
func (p *program) start() {
	p.t.Helper()
	c := dashboard.NewCollector()
	weight := func(key string) int { return 1 + len(key)%3 }
	p.managers = map[string]*taskmanager.TaskManager{
		images: p.manager(taskmanager.WithWorkers(2, 6), taskmanager.WithObserver(c), taskmanager.WithQueue(taskmanager.Fair(weight)),
			taskmanager.WithRestartPlain(), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Millisecond)))),
		mail: p.manager(taskmanager.WithWorkers(0, 2)),
	}
	p.cluster = newCluster()
	options := []dashboard.Option{
		dashboard.Manager(images, p.managers[images], c), dashboard.Manager(mail, p.managers[mail]), dashboard.Cluster(shop, p.cluster),
		dashboard.Title("Tasks <of> the shop"), dashboard.TraceURL("https://traces.example.com/{trace_id}"),
	}
	if !p.readOnly {
		options = append(options, dashboard.Actions(func(*http.Request, dashboard.Action, string) error { return nil },
			dashboard.Cancel, dashboard.Pause, dashboard.Resize, dashboard.Run, dashboard.Retry, dashboard.Delete))
	}
	p.dashboard = dashboard.New(options...)
	p.serve()
}

func (p *program) manager(options ...taskmanager.Option) *taskmanager.TaskManager {
	p.t.Helper()
	m, err := taskmanager.Start(options...)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// serve serves the dashboard below a prefix.
func (p *program) serve() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.address = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/debug/tasks/", p.dashboard)
	var h http.Handler = mux
	if p.through != nil {
		h = p.through(h)
	}
	p.server, p.served = &http.Server{Handler: h}, make(chan error, 1)
	go func() { p.served <- p.server.Serve(l) }()
}

// stop ends the program at once.
func (p *program) stop() {
	p.t.Helper()
	if err := p.server.Close(); err != nil {
		p.t.Error(err)
	}
	if err := <-p.served; !errors.Is(err, http.ErrServerClosed) {
		p.t.Error(err)
	}
	p.dashboard.Close()
	for name, m := range p.managers {
		if err := m.Stop(context.Background()); err != nil {
			p.t.Errorf("%s: %v", name, err)
		}
	}
}

// url returns the address of a page of the dashboard.
func (p *program) url(route string) string { return "http://" + p.address + "/debug/tasks/" + route }

// submit submits a task to the first manager.
func (p *program) submit(name string, f func(context.Context) error, options ...taskmanager.TaskOption) *taskmanager.Handle {
	p.t.Helper()
	h, err := p.managers[images].SubmitFunc(p.t.Context(), name, f, options...)
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

// stay runs until it is cancelled.
func stay(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// fill gives all pages something to show, hostile names among it.
func (p *program) fill() {
	p.t.Helper()
	options := func(kind, key string, more ...taskmanager.TaskOption) []taskmanager.TaskOption {
		return append(more, taskmanager.WithKind(kind), taskmanager.WithKey(key))
	}
	ended := []*taskmanager.Handle{
		p.submit(flaky, func(context.Context) error { return fmt.Errorf("refused by %s", hostile) }, options("fetch", "tenant-1")...),
		p.submit("resize/panic", func(context.Context) error { panic(hostile) }, options(hostile, hostile)...),
		p.submit("resize/done", func(context.Context) error { return nil }, options("resize", "tenant-2")...),
	}
	for _, h := range ended {
		<-h.Done()
	}
	for i, name := range []string{victim, hostile, hidden, longName} {
		p.submit(name, stay, options(hostile, fmt.Sprintf("tenant-%d", i), taskmanager.WithDescription(hostile), taskmanager.WithPriority(i))...)
	}
	for i := range 4 { // two of them find no worker
		p.submit(fmt.Sprintf("thumbnail/%d", i), stay, options("thumbnail", hostile)...)
	}
	p.submit("report/later", stay, options("report", "tenant-1", taskmanager.WithDelay(time.Hour))...)
	if _, err := p.managers[images].Every(p.t.Context(), time.Hour, namedTask("schedule "+hostile)); err != nil {
		p.t.Fatal(err)
	}
}

// namedTask is a task that does nothing.
type namedTask string

func (n namedTask) Name() string                  { return string(n) }
func (n namedTask) Execute(context.Context) error { return nil }
