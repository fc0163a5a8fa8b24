package dashboard

import (
	"context"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
)

// ClusterSource tells of tasks that several processes share, for example through a message broker.
// Package adapters/nats/cluster has one for NATS JetStream.
//
// Its methods must be safe for concurrent use. Each gets a context that ends after five seconds, and with
// the dashboard. The dashboard calls Overview, Tasks and DeadLetters at most once a second in all, however many
// browsers are open, and not at all when none is. It clips and escapes all texts itself. The text of an error is
// shown to everyone who looks. A panic counts as an error.
type ClusterSource interface {
	// Overview returns the processes and the kinds.
	Overview(ctx context.Context) (ClusterOverview, error)
	// Tasks returns outstanding tasks. It may return a part of them, and should then return tasks that run first.
	Tasks(ctx context.Context, s ClusterSearch) (ClusterTasks, error)
	// DeadLetters returns tasks that were given up, the newest first. It may return a part of them.
	DeadLetters(ctx context.Context, s ClusterSearch) (ClusterDeadLetters, error)
	// Cancel cancels an outstanding task. It returns false if there is none of that name.
	Cancel(ctx context.Context, name string) (bool, error)
	// Retry submits the task of a dead letter again, and removes the letter. The letter has the ID, Kind and Name that
	// a browser sends. An ID of a letter with another kind or name must be refused, since the function of [Actions]
	// decides by the name.
	Retry(ctx context.Context, letter DeadLetter) error
	// Delete removes a dead letter for good. The letter is as for Retry.
	Delete(ctx context.Context, letter DeadLetter) error
}

// ClusterOverview is the state of a cluster.
type ClusterOverview struct {
	Processes []ClusterProcess
	Kinds     []ClusterKind
	Note      string // what is missing, as a sentence; empty if nothing is
}

// ClusterProcess is a process that runs tasks.
type ClusterProcess struct {
	ID      string
	Name    string
	Host    string
	PID     int
	Kinds   []string  // that it runs
	Workers int       // the most tasks that it runs at the same time
	Running int       // tasks that it runs
	Since   time.Time // of its start
	Seen    time.Time // when it was last heard of
}

// ClusterKind has the numbers of the tasks of a kind. A negative number is unknown.
type ClusterKind struct {
	Kind      string
	Waiting   int64
	Running   int64
	Dead      int64 // dead letters
	Processes int   // that run this kind now; without one its tasks wait
	Consumer  bool  // there has been a process that runs this kind
}

// ClusterSearch selects tasks or dead letters.
type ClusterSearch struct {
	Text  string // a part of the name; empty: all. A task whose whole name it is should be found in any case
	Kind  string // empty: all
	Limit int    // the most that are shown, from 1 to 500
}

// ClusterTasks are outstanding tasks.
type ClusterTasks struct {
	Tasks    []ClusterTask
	Total    int64  // all outstanding tasks, whatever the search; negative: unknown
	Complete bool   // these are all tasks that the search selects
	Note     string // what is missing, as a sentence; empty if nothing is
}

// ClusterTask is an outstanding task. Fields that are unknown have their zero values.
type ClusterTask struct {
	Name        string
	Kind        string
	Key         string
	State       string // running, blocked, queued, delayed or restarting
	Process     string // the name of the process that runs it
	Level       string // of its priority; empty for the normal one
	Attempt     int
	Restarts    int
	Description string
	Progress    float64 // from 0 to 1
	HasProgress bool
	Error       string // of the last attempt
	Queued      time.Time
	Started     time.Time
	Due         time.Time
	Deadline    time.Time
}

// ClusterDeadLetters are tasks that were given up.
type ClusterDeadLetters struct {
	Letters  []DeadLetter
	Total    int64  // all dead letters, whatever the search; negative: unknown
	Complete bool   // these are all that the search selects
	Note     string // what is missing, as a sentence; empty if nothing is
}

// DeadLetter is a task that was given up. The dashboard never shows what it works on.
type DeadLetter struct {
	ID       string // identifies the letter; at most 200 bytes of printable ASCII
	Kind     string
	Name     string
	Reason   string
	Attempts int
	Process  string // the name of the process that gave it up
	At       time.Time
}

// Cluster shows the tasks that several processes share, under a name, which is that of the links to its pages. No
// manager and no other cluster has this name. A dashboard may show clusters and no manager.
func Cluster(name string, source ClusterSource) Option {
	return func(s *settings) {
		s.fault(name == "", "Cluster: the name is empty; give each cluster a name of its own")
		s.fault(text.Line(name, text.NameLimit) != name, "Cluster: the name %.100q cannot be shown; use printable characters, at most %d bytes", name, text.NameLimit)
		s.fault(source == nil, "Cluster: the source of %.100q is nil; pass one, such as that of adapters/nats/cluster", name)
		s.clusters = append(s.clusters, givenCluster{name, source})
	}
}

// givenCluster is a cluster that is to be shown.
type givenCluster struct {
	name   string
	source ClusterSource
}
