package run

import (
	"io"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/web"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// live is the dashboard of a run. Its zero value shows nothing.
type live struct {
	address   string
	collector *dashboard.Collector
	stderr    io.Writer // gets the address of the page
}

// checkDashboard adds a fault if the dashboard could be seen from other machines: names of files may be
// confidential.
func (c *command) checkDashboard(f *flagvalue.Faults) {
	if c.dashboard == "" {
		return
	}
	if err := web.Loopback(c.dashboard); err != nil {
		f.Add("-dashboard: %w; use a loopback address, such as 127.0.0.1:8080", err)
	}
}

// startDashboard prepares the dashboard, if there is to be one.
func (c *command) startDashboard(stderr io.Writer) live {
	if c.dashboard == "" {
		return live{}
	}
	return live{c.dashboard, dashboard.NewCollector(), stderr}
}

// observers returns what must observe the manager.
func (l live) observers() []observe.Observer {
	if l.collector == nil {
		return nil
	}
	return []observe.Observer{l.collector}
}

// show serves the dashboard of a manager until hide is called.
func (l live) show(m *taskmanager.TaskManager) (hide func() error, err error) {
	if l.collector == nil {
		return func() error { return nil }, nil
	}
	server, err := web.Serve(l.address, dashboard.New(dashboard.Title("Tasklab"), dashboard.Manager("files", m, l.collector)))
	if err != nil {
		return nil, err
	}
	output.Say(l.stderr, "The dashboard is at %s until the run ends.\n", server.URL)
	return server.Close, nil
}
