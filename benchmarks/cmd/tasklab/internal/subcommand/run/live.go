package run

import (
	"io"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
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
	return l.serve(dashboard.Manager("files", m, l.collector))
}

// serve serves a dashboard until hide is called.
func (l live) serve(options ...dashboard.Option) (hide func() error, err error) {
	server, err := web.Serve(l.address, dashboard.New(append(options, dashboard.Title("Tasklab"))...))
	if err != nil {
		return nil, err
	}
	output.Say(l.stderr, "The dashboard is at %s until the run ends.\n", server.URL)
	return server.Close, nil
}

// showCluster serves the dashboard of a cluster, and of the worker in this process if there is one, until hide is called.
func (l live) showCluster(joined *cluster.Cluster, own *cluster.Worker) (hide func() error, err error) {
	if l.collector == nil {
		return func() error { return nil }, nil
	}
	options := []dashboard.Option{dashboard.Cluster("cluster", joined.Source())}
	if own != nil {
		options = append(options, dashboard.Manager("this process", own.Manager, l.collector))
	}
	return l.serve(options...)
}
