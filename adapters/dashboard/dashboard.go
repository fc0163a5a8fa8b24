package dashboard

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Dashboard shows managers and clusters in a browser. It is an [http.Handler], safe for concurrent use. [New] makes
// one.
type Dashboard struct {
	managers []*managed
	byName   map[string]*managed
	clusters []*clustered
	labels   map[*taskmanager.Schedule]string
	title    string
	traceURL string
	hosts    map[string]bool
	actions  []Action
	allow    func(r *http.Request, a Action, task string) error
	page     []byte // the HTML of all pages
	origins  *http.CrossOriginProtection

	closing sync.Once
	stop    context.CancelFunc // ends calls of sources of clusters
	closed  chan struct{}      // closed by Close
	sampled chan struct{}      // closed when no further sample is taken
}

// New returns a dashboard of one or more managers and clusters, and begins to sample the managers. Call [Dashboard.Close]
// when it is no longer used. New panics if an option is invalid, with an error that says what to
// do.
func New(opts ...Option) *Dashboard {
	s, err := newSettings(opts)
	if err != nil {
		panic(err)
	}
	d := &Dashboard{
		byName: make(map[string]*managed), labels: s.labels, title: s.title, traceURL: s.traceURL,
		hosts: map[string]bool{"localhost": true}, actions: s.actions, allow: s.allow,
		page: assets().page(s.title), origins: http.NewCrossOriginProtection(),
		closed: make(chan struct{}), sampled: make(chan struct{}),
	}
	for _, name := range s.hosts {
		d.hosts[name] = true
	}
	for _, g := range s.managers {
		x := newManaged(g)
		d.managers = append(d.managers, x)
		d.byName[x.name] = x
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	for _, g := range s.clusters {
		d.clusters = append(d.clusters, &clustered{name: g.name, source: g.source, turns: turns{ctx: ctx}})
	}
	go d.sample()
	return d
}

// Close ends the sampling, the streams to browsers and the calls of sources of clusters, and waits for the sampling. The handler
// continues to answer, without further points in its charts. To shut a server down, close the dashboard
// first, since [http.Server.Shutdown] waits for streams:
//
//	server.RegisterOnShutdown(d.Close)
func (d *Dashboard) Close() {
	d.closing.Do(func() {
		d.stop()
		close(d.closed)
	})
	<-d.sampled
}

// sample takes a sample of each manager every second, until the dashboard is closed or all managers
// have stopped.
func (d *Dashboard) sample() {
	defer close(d.sampled)
	ticker := time.NewTicker(fineStep)
	defer ticker.Stop()
	for {
		select {
		case <-d.closed:
			return
		case <-ticker.C:
		}
		ended := true
		for _, x := range d.managers {
			stopped := isClosed(x.m.Done()) // before the sample, which then has everything
			ended = ended && stopped
			x.sample()
			x.sampleKeys()
			x.sendTick()
		}
		if ended {
			return
		}
	}
}

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
