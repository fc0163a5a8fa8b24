package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Option configures the dashboard that [New] makes. The functions of this package that return an
// Option are the options. If one other than [Manager], [Cluster] and [Schedule] is given twice, the last one
// counts.
type Option func(*settings)

// settings are what the options set. The faults are reported by New.
type settings struct {
	managers []given
	clusters []givenCluster
	labels   map[*taskmanager.Schedule]string
	title    string
	traceURL string
	hosts    []string
	actions  []Action
	allow    func(r *http.Request, a Action, task string) error
	faults   []error
}

// given is a manager that is to be shown.
type given struct {
	name      string
	m         *taskmanager.TaskManager
	collector *Collector // nil: none
}

// fault notes a fault if there is one.
func (s *settings) fault(is bool, format string, args ...any) {
	if is {
		s.faults = append(s.faults, fmt.Errorf("dashboard: "+format, args...))
	}
}

// Manager shows a manager under a name, which is that of the links to its pages. Each manager and each [Cluster]
// has a name of its own. If the manager was started with a [Collector] as an
// observer, pass it too; nil is no collector.
func Manager(name string, m *taskmanager.TaskManager, c ...*Collector) Option {
	return func(s *settings) {
		g := given{name: name, m: m}
		s.fault(name == "", "Manager: the name is empty; give each manager a name of its own")
		s.fault(text.Line(name, text.NameLimit) != name, "Manager: the name %.100q cannot be shown; use printable characters, at most %d bytes", name, text.NameLimit)
		s.fault(m == nil, "Manager: the manager %.100q is nil; start it first", name)
		s.fault(len(c) > 1, "Manager: there are %d collectors for %.100q; a manager has at most one", len(c), name)
		if len(c) == 1 {
			g.collector = c[0]
		}
		s.managers = append(s.managers, g)
	}
}

// Schedule shows a schedule under a label. Schedules without one are shown under their names.
func Schedule(label string, schedule *taskmanager.Schedule) Option {
	return func(s *settings) {
		s.fault(label == "", "Schedule: the label is empty; leave the option out to show the name of the schedule")
		s.fault(schedule == nil, "Schedule: the schedule %.100q is nil; make it first, with Every or Repeat", label)
		s.labels[schedule] = label
	}
}

// traceParameter stands for the trace in a TraceURL.
const traceParameter = "{trace_id}"

// TraceURL links the traces of executions to a tracing system. The template is an http or https URL
// that contains {trace_id}, for which the trace in hexadecimal is substituted.
func TraceURL(template string) Option {
	return func(s *settings) {
		const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
		u, err := url.Parse(strings.ReplaceAll(template, traceParameter, trace))
		ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.Contains(u.Host, trace) && u.User == nil
		s.fault(!ok, "TraceURL: %.200q is no http or https URL with a fixed host; write for example https://traces.example.com/trace/{trace_id}", template)
		s.fault(!strings.Contains(template, traceParameter), "TraceURL: %.200q does not contain {trace_id}, which stands for the trace", template)
		s.traceURL = template
	}
}

// Title sets the title of the page. The default is "Tasks".
func Title(title string) Option {
	return func(s *settings) {
		s.fault(title == "", "Title: the title is empty; leave the option out for the default")
		s.fault(text.Line(title, text.NameLimit) != title, "Title: the title %.100q cannot be shown; use printable characters, at most %d bytes", title, text.NameLimit)
		s.title = title
	}
}

// Hosts sets the host names, without ports, under which the dashboard is reached. It always answers
// requests to localhost and to IP addresses. It refuses others, because a page of another site could
// otherwise read it through a name of its own that it points to this server. There are no patterns.
func Hosts(names ...string) Option {
	return func(s *settings) {
		s.hosts = nil
		s.fault(len(names) == 0, "Hosts: there is no name; leave the option out to answer under localhost and IP addresses only")
		for _, name := range names {
			s.fault(!isHost(name), "Hosts: %.100q is no host name; write it as in tasks.example.com, without a scheme, a port or a wildcard, and other alphabets in their xn-- form", name)
			s.hosts = append(s.hosts, canonicalHost(name))
		}
	}
}

// isHost reports whether a name is an IP address, or a host name in ASCII.
func isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return false
		}
	}
	return true
}

// notInHost reports whether host names do not contain a character. Names in containers have
// underscores.
func notInHost(r rune) bool {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return !strings.ContainsRune(characters, unicode.ToLower(r)) || r >= utf8.RuneSelf
}

// Action is something that a user of the dashboard may do.
type Action string

// The actions.
const (
	Cancel Action = "cancel" // cancel a task, of a manager or a cluster
	Pause  Action = "pause"  // pause and resume a manager
	Resize Action = "resize" // change the bounds on the workers of a manager
	Run    Action = "run"    // run a schedule now
	Retry  Action = "retry"  // submit the task of a dead letter of a cluster again
	Delete Action = "delete" // remove a dead letter of a cluster
)

// Actions allows actions. Without this option the dashboard is read-only.
//
// The dashboard calls allow for each action, with the request, the action, and the exact name of the
// task or schedule, which is empty for Pause and Resize. For Retry and Delete it is the name of the task that was
// given up. The argument m in the URL of that request is always the name
// of the manager or cluster: r.URL.Query().Get("m"). The body has been read. An error refuses the action; its text is
// logged, and not shown to the user. A panic refuses it too. The dashboard does not know who its users are: they are
// authenticated by a middleware of the program, or by allow. Every action is logged with
// [log/slog.Default], at the level Warn if it was refused or failed.
func Actions(allow func(r *http.Request, a Action, task string) error, actions ...Action) Option {
	return func(s *settings) {
		s.fault(allow == nil, "Actions: the function that allows actions is nil; pass one that checks the user of each request")
		s.fault(len(actions) == 0, "Actions: there is no action; leave the option out for a read-only dashboard")
		for i, a := range actions {
			s.fault(slices.Contains(actions[:i], a), "Actions: %.100q is given twice; name each action once", string(a))
			s.fault(!slices.Contains([]Action{Cancel, Pause, Resize, Run, Retry, Delete}, a), "Actions: %.100q is no action; use Cancel, Pause, Resize, Run, Retry or Delete", string(a))
		}
		s.allow, s.actions = allow, actions
	}
}

// newSettings applies options, and returns their faults.
func newSettings(opts []Option) (*settings, error) {
	s := &settings{title: "Tasks", labels: make(map[*taskmanager.Schedule]string)}
	for i, o := range opts {
		if o == nil {
			s.fault(true, "option %d is nil; leave it out", i+1)
			continue
		}
		o(s)
	}
	s.fault(len(s.managers)+len(s.clusters) == 0, "there is no manager to show; pass one with the option Manager")
	names, managers, collectors := make(map[string]bool), make(map[*taskmanager.TaskManager]bool), make(map[*Collector]bool)
	for _, g := range s.clusters {
		s.fault(names[g.name], "Cluster: the name %.100q is given twice; give each cluster a name of its own", g.name)
		names[g.name] = true
	}
	for _, g := range s.managers {
		s.fault(names[g.name], "Manager: the name %.100q is given twice; give each manager and cluster a name of its own", g.name)
		s.fault(g.m != nil && managers[g.m], "Manager: the manager of %.100q has another name too; show each manager once", g.name)
		names[g.name], managers[g.m] = true, true
		if g.collector == nil {
			continue
		}
		s.fault(collectors[g.collector], "Manager: the collector of %.100q is that of another manager; make one for each", g.name)
		collectors[g.collector] = true
		n := g.collector.managers.Load()
		s.fault(n == 0, "Manager: the collector of %.100q observes no manager; start the manager with taskmanager.WithObserver(collector)", g.name)
		s.fault(n > 1, "Manager: the collector of %.100q observes %d managers; make one for each", g.name, n)
		s.fault(n == 1 && g.m != nil && !g.collector.mayObserve(g.m), "Manager: the collector of %.100q observes another manager; pass the one with which this manager was started", g.name)
	}
	return s, errors.Join(s.faults...)
}
