package dashboard

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
)

// Bounds on what is shown of a cluster.
const (
	mostProcesses    = 500
	mostClusterKinds = 500
	mostKindsOfOne   = 20 // kinds of a process
	defaultCluster   = 100
	mostCluster      = 500 // tasks or dead letters
	letterIDLimit    = 200 // bytes
)

// clustered is a cluster that is shown.
type clustered struct {
	name   string
	source ClusterSource
	turns  turns
}

// clusterReaders are the answers to GET requests about a cluster.
var clusterReaders = map[string]func(x *clustered, ctx context.Context, args url.Values) (any, error){
	"cluster":       (*clustered).getOverview,
	"cluster-tasks": (*clustered).getTasks,
	"dead":          (*clustered).getDead,
}

// clusterProcess is the row of a process.
type clusterProcess struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	PID       int      `json:"pid"`
	Kinds     []string `json:"kinds"`
	MoreKinds int      `json:"moreKinds"`
	Workers   int      `json:"workers"`
	Running   int      `json:"running"`
	Since     float64  `json:"since,omitempty"`
	Seen      float64  `json:"seen,omitempty"`
}

// clusterKind is the row of a kind.
type clusterKind struct {
	Kind      string  `json:"kind"`
	KindID    *string `json:"kindID,omitempty"`
	Waiting   int64   `json:"waiting"`
	Running   int64   `json:"running"`
	Dead      int64   `json:"dead"`
	Processes int     `json:"processes"`
	Consumer  bool    `json:"consumer"`
}

// clusterAnswer is the state of a cluster. The totals are of all processes and kinds, also of those without a row.
type clusterAnswer struct {
	Now           float64          `json:"now"`
	Processes     []clusterProcess `json:"processes"`
	Kinds         []clusterKind    `json:"kinds"`
	MoreProcesses int              `json:"moreProcesses"`
	MoreKinds     int              `json:"moreKinds"`
	Workers       int64            `json:"workers"`
	Busy          int64            `json:"busy"`
	Waiting       int64            `json:"waiting"`
	Running       int64            `json:"running"`
	Dead          int64            `json:"dead"`
	Note          string           `json:"note,omitempty"`
}

// getOverview answers with the processes and kinds.
func (x *clustered) getOverview(ctx context.Context, _ url.Values) (any, error) {
	return x.turns.ask(ctx, "overview", func(ctx context.Context) (any, error) {
		o, err := x.source.Overview(ctx)
		return shownOverview(&o), err
	})
}

// shownOverview returns the answer for an overview.
func shownOverview(o *ClusterOverview) clusterAnswer {
	answer := clusterAnswer{
		Now: unix(time.Now()), Note: text.Line(o.Note, text.NameLimit),
		Processes: []clusterProcess{}, MoreProcesses: max(0, len(o.Processes)-mostProcesses),
		Kinds: []clusterKind{}, MoreKinds: max(0, len(o.Kinds)-mostClusterKinds),
	}
	for i, p := range o.Processes {
		answer.Workers += int64(max(0, p.Workers))
		answer.Busy += int64(max(0, p.Running))
		if i < mostProcesses {
			answer.Processes = append(answer.Processes, processRow(&p))
		}
	}
	for i, k := range o.Kinds {
		answer.Waiting, answer.Running, answer.Dead = add(answer.Waiting, k.Waiting), add(answer.Running, k.Running), add(answer.Dead, k.Dead)
		if i < mostClusterKinds {
			row := clusterKind{Waiting: max(-1, k.Waiting), Running: max(-1, k.Running), Dead: max(-1, k.Dead), Processes: max(0, k.Processes), Consumer: k.Consumer}
			row.Kind, row.KindID = shownName(k.Kind)
			answer.Kinds = append(answer.Kinds, row)
		}
	}
	return answer
}

// add returns a sum, which is unknown, or -1, if a summand is.
func add(sum, n int64) int64 {
	if sum < 0 || n < 0 || sum > math.MaxInt64-n {
		return -1
	}
	return sum + n
}

func processRow(p *ClusterProcess) clusterProcess {
	row := clusterProcess{
		ID: text.Line(p.ID, text.NameLimit), Name: text.Line(p.Name, text.NameLimit), Host: text.Line(p.Host, text.NameLimit), PID: p.PID,
		Kinds: []string{}, MoreKinds: max(0, len(p.Kinds)-mostKindsOfOne), Workers: p.Workers, Running: p.Running,
		Since: unixOrZero(p.Since), Seen: unixOrZero(p.Seen),
	}
	for _, kind := range p.Kinds[:min(len(p.Kinds), mostKindsOfOne)] {
		row.Kinds = append(row.Kinds, text.Line(kind, text.NameLimit))
	}
	return row
}

// clusterQuestion is a question for a list.
type clusterQuestion struct {
	of string
	ClusterSearch
}

// questionOf returns what a request asks for.
func questionOf(of string, args url.Values) (q clusterQuestion, err error) {
	q = clusterQuestion{of, ClusterSearch{Text: args.Get("q"), Kind: args.Get("kind")}}
	q.Limit, err = number(args, "limit", defaultCluster, 1, mostCluster)
	return q, err
}

// clusterTask is the row of a task.
type clusterTask struct {
	taskRow
	KindID  *string `json:"kindID,omitempty"`
	Process string  `json:"process,omitempty"`
	Level   string  `json:"level,omitempty"`
}

// clusterTasks is a list of tasks.
type clusterTasks struct {
	Tasks    []clusterTask `json:"tasks"`
	Total    int64         `json:"total"`
	Complete bool          `json:"complete"`
	Note     string        `json:"note,omitempty"`
}

// getTasks answers with outstanding tasks.
func (x *clustered) getTasks(ctx context.Context, args url.Values) (any, error) {
	q, err := questionOf("tasks", args)
	if err != nil {
		return nil, err
	}
	return x.turns.ask(ctx, q, func(ctx context.Context) (any, error) {
		list, err := x.source.Tasks(ctx, q.ClusterSearch)
		answer := clusterTasks{Tasks: []clusterTask{}, Total: max(-1, list.Total), Complete: list.Complete && len(list.Tasks) <= q.Limit, Note: text.Line(list.Note, text.NameLimit)}
		for _, t := range list.Tasks[:min(len(list.Tasks), q.Limit)] {
			answer.Tasks = append(answer.Tasks, clusterTaskRow(&t))
		}
		return answer, err
	})
}

func clusterTaskRow(t *ClusterTask) clusterTask {
	row := clusterTask{
		taskRow: taskRow{
			State: text.Line(t.State, text.NameLimit), Key: text.Line(t.Key, text.NameLimit),
			Attempt: t.Attempt, Restarts: t.Restarts, Description: text.Line(t.Description, text.NameLimit),
			Error: text.Block(t.Error, text.ErrorLimit), Queued: unixOrZero(t.Queued), Started: unixOrZero(t.Started),
			Due: unixOrZero(t.Due), Deadline: unixOrZero(t.Deadline),
		},
		Process: text.Line(t.Process, text.NameLimit), Level: text.Line(t.Level, text.NameLimit),
	}
	row.Name, row.ID = shownName(t.Name)
	row.Kind, row.KindID = shownName(t.Kind)
	if t.HasProgress && !math.IsNaN(t.Progress) {
		share := min(max(t.Progress, 0), 1)
		row.Progress = &share
	}
	return row
}

// deadLetter is the row of a dead letter.
type deadLetter struct {
	Letter   string  `json:"letter"` // empty: nothing can be done with it here
	Name     string  `json:"name"`
	ID       *string `json:"id,omitempty"`
	Kind     string  `json:"kind"`
	KindID   *string `json:"kindID,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Attempts int     `json:"attempts"`
	Process  string  `json:"process,omitempty"`
	At       float64 `json:"at,omitempty"`
}

// deadAnswer is a list of dead letters.
type deadAnswer struct {
	Letters  []deadLetter `json:"letters"`
	Total    int64        `json:"total"`
	Complete bool         `json:"complete"`
	Note     string       `json:"note,omitempty"`
}

// getDead answers with dead letters.
func (x *clustered) getDead(ctx context.Context, args url.Values) (any, error) {
	q, err := questionOf("dead", args)
	if err != nil {
		return nil, err
	}
	return x.turns.ask(ctx, q, func(ctx context.Context) (any, error) {
		list, err := x.source.DeadLetters(ctx, q.ClusterSearch)
		answer := deadAnswer{Letters: []deadLetter{}, Total: max(-1, list.Total), Complete: list.Complete && len(list.Letters) <= q.Limit, Note: text.Line(list.Note, text.NameLimit)}
		for _, l := range list.Letters[:min(len(list.Letters), q.Limit)] {
			answer.Letters = append(answer.Letters, letterRow(&l))
		}
		return answer, err
	})
}

func letterRow(l *DeadLetter) deadLetter {
	row := deadLetter{
		Letter: l.ID, Reason: text.Block(l.Reason, text.ErrorLimit), Attempts: l.Attempts,
		Process: text.Line(l.Process, text.NameLimit), At: unixOrZero(l.At),
	}
	row.Name, row.ID = shownName(l.Name)
	row.Kind, row.KindID = shownName(l.Kind)
	if !isLetterID(l.ID) || row.ID != nil && *row.ID == "" || row.KindID != nil && *row.KindID == "" {
		row.Letter = ""
	}
	return row
}

// isLetterID reports whether a text may identify a dead letter.
func isLetterID(id string) bool {
	return id != "" && len(id) <= letterIDLimit && text.Line(id, letterIDLimit) == id
}

// do does an action.
func (x *clustered) do(c *command) error {
	letter := DeadLetter{ID: c.Letter, Kind: c.Kind, Name: c.Name}
	switch Action(c.Action) {
	case Cancel:
		return x.turns.act(func(ctx context.Context) error {
			found, err := x.source.Cancel(ctx, c.Name)
			if err == nil && !found {
				return &failure{http.StatusNotFound, "no task of that name is outstanding"}
			}
			return err
		})
	case Retry:
		return x.turns.act(func(ctx context.Context) error { return x.source.Retry(ctx, letter) })
	case Delete:
		return x.turns.act(func(ctx context.Context) error { return x.source.Delete(ctx, letter) })
	}
	return badRequest("%.100q is a cluster, which has the actions cancel, retry and delete only", x.name)
}
