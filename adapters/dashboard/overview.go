package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Bounds on lists.
const (
	overviewWorkers   = 256
	overviewDecisions = 6
	mostWorkers       = 1000
)

// overviewAnswer is the state of a manager, and the data of a tick.
type overviewAnswer struct {
	Now       float64            `json:"now"`
	Point     point              `json:"point"`
	State     observe.State      `json:"state"`
	Min       int                `json:"min"`
	Max       int                `json:"max"`
	Limit     int                `json:"limit"`
	Counts    taskmanager.Counts `json:"counts"`
	Recent    recentAnswer       `json:"recent"`
	Failures  float64            `json:"failures"`
	Decisions []decisionRow      `json:"decisions"`
	Workers   workersAnswer      `json:"workers"`
}

// recentAnswer has the percentiles of the last seconds.
type recentAnswer struct {
	Seconds int                   `json:"seconds"`
	Wait    histogram.Percentiles `json:"wait"`
	Run     histogram.Percentiles `json:"run"`
}

// decisionRow is the row of a decision.
type decisionRow struct {
	Number  uint64  `json:"number"`
	At      float64 `json:"at"`
	Workers int     `json:"workers"`
	Target  int     `json:"target"`
	Reason  string  `json:"reason"`
}

// rowsOf returns the rows of decisions.
func rowsOf(list []decision) []decisionRow {
	rows := make([]decisionRow, len(list))
	for i, d := range list {
		rows[i] = decisionRow{d.number, unix(d.at), d.workers, d.target, d.reason}
	}
	return rows
}

// getOverview answers with the state of the manager.
func (x *managed) getOverview(url.Values) (any, error) {
	list, _ := x.decisions.after(0)
	return x.overview(list[max(0, len(list)-overviewDecisions):]), nil
}

// overview returns the state of the manager, with the given decisions.
func (x *managed) overview(decisions []decision) overviewAnswer {
	is, pool := x.m.Describe(), x.m.Snapshot()
	a := overviewAnswer{Min: pool.Min, Max: pool.Max, Counts: x.m.Counts(), Failures: -1}
	x.mu.Lock()
	latest := x.latest
	if t := x.before.total; t != nil {
		a.Failures = float64(t.failed)
	}
	x.mu.Unlock()
	a.Point = latest.shown()
	a.Now, a.State, a.Limit = unix(time.Now()), is.State, is.Limit
	a.Recent.Seconds = recentPoints
	a.Recent.Wait, a.Recent.Run = x.lately()
	a.Decisions = rowsOf(decisions)
	a.Workers = x.workers(span{limit: overviewWorkers})
	return a
}

// seriesAnswer has the points of a series, by column.
type seriesAnswer struct {
	Step      int           `json:"step"`
	Columns   [][]float64   `json:"columns"`
	Decisions []decisionRow `json:"decisions"`
}

// getSeries answers with the points of the last seconds, and the decisions of the same time.
func (x *managed) getSeries(args url.Values) (any, error) {
	const least, most = 60, coarsePoints * int(coarseStep/time.Second)
	seconds, err := number(args, "seconds", finePoints, least, most)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	of, step := &x.fine, fineStep
	if seconds > finePoints {
		of, step = &x.coarse, coarseStep
	}
	points := of.last(seconds / int(step/time.Second))
	x.mu.Unlock()
	list, _ := x.decisions.after(0)
	from := time.Now().Add(-time.Duration(seconds) * time.Second)
	list = slices.DeleteFunc(list, func(d decision) bool { return d.at.Before(from) })
	return seriesAnswer{int(step / time.Second), byColumn(points), rowsOf(list)}, nil
}

// workerRow is the row of a worker.
type workerRow struct {
	ID       int32   `json:"id"`
	State    string  `json:"state"`
	Task     string  `json:"task,omitempty"`
	TaskID   *string `json:"taskID,omitempty"`
	Kind     string  `json:"kind,omitempty"`
	Key      string  `json:"key,omitempty"`
	Priority int     `json:"priority,omitempty"`
	Attempt  int     `json:"attempt,omitempty"`
	Since    float64 `json:"since,omitempty"`
	Trace    string  `json:"trace,omitempty"`
}

// workersAnswer is a part of the workers.
type workersAnswer struct {
	Total   int         `json:"total"`
	Workers []workerRow `json:"workers"`
}

// getWorkers answers with the workers.
func (x *managed) getWorkers(args url.Values) (any, error) {
	s, err := spanOf(args, overviewWorkers, mostWorkers)
	if err != nil {
		return nil, err
	}
	return x.workers(s), nil
}

func (x *managed) workers(s span) workersAnswer {
	a := workersAnswer{Workers: []workerRow{}}
	for id, info := range x.m.Workers() {
		if a.Total++; a.Total > s.skip && len(a.Workers) < s.limit {
			a.Workers = append(a.Workers, x.workerRow(id, &info))
		}
	}
	return a
}

func (x *managed) workerRow(id int32, info *taskmanager.WorkerInfo) workerRow {
	if info.Status == taskmanager.Waiting {
		return workerRow{ID: id, State: "idle"}
	}
	row := workerRow{
		ID: id, State: string(info.Status), Kind: text.Line(info.Kind, text.NameLimit), Key: text.Line(info.Key, text.NameLimit),
		Priority: info.Priority, Attempt: info.Attempt, Since: unix(info.Since),
	}
	row.Task, row.TaskID = shownName(info.TaskName)
	if x.collector != nil {
		row.Trace = x.collector.trace(id, info.TaskName, info.Attempt)
	}
	return row
}

// shownName returns a name as it is shown and, if that differs from the exact name, what identifies
// the task: the exact name, or "" if that cannot be linked to.
func shownName(name string) (shown string, id *string) {
	if shown = text.Line(name, text.NameLimit); shown == name {
		return shown, nil
	}
	exact := ""
	if linkable(name) {
		exact = name
	}
	return shown, &exact
}

// kindRow is the row of a kind.
type kindRow struct {
	Kind      string                `json:"kind"`
	Succeeded uint64                `json:"succeeded"`
	Failed    uint64                `json:"failed"`
	Cancelled uint64                `json:"cancelled"`
	Restarts  uint64                `json:"restarts"`
	Wait      histogram.Percentiles `json:"wait"`
	Run       histogram.Percentiles `json:"run"`
}

// kindsAnswer is the answer to a request of the kinds.
type kindsAnswer struct {
	Available bool      `json:"available"`
	Kinds     []kindRow `json:"kinds"`
}

// getKinds answers with the numbers of each kind since the start, that with the most executions
// first.
func (x *managed) getKinds(url.Values) (any, error) {
	answer := kindsAnswer{Available: x.collector != nil, Kinds: []kindRow{}}
	if x.collector == nil {
		return answer, nil
	}
	kinds := x.collector.byKind()
	slices.SortStableFunc(kinds, func(a, b named) int { return cmp.Compare(b.executions.Total(), a.executions.Total()) })
	for _, k := range kinds {
		answer.Kinds = append(answer.Kinds, kindRow{
			Kind: text.Line(k.name, text.NameLimit), Succeeded: k.succeeded(), Failed: k.failed, Cancelled: k.cancelled,
			Restarts: k.restarts, Wait: k.waits.Percentiles(), Run: k.executions.Percentiles(),
		})
	}
	return answer, nil
}

// decisionsAnswer has the decisions that are remembered.
type decisionsAnswer struct {
	Decisions []decisionRow `json:"decisions"`
	Forgotten uint64        `json:"forgotten"`
}

// getDecisions answers with the decisions, the newest first.
func (x *managed) getDecisions(url.Values) (any, error) {
	list, forgotten := x.decisions.after(0)
	slices.Reverse(list)
	return decisionsAnswer{rowsOf(list), forgotten}, nil
}

// executionRow is the row of an execution, or of the end of a task that waited to run.
type executionRow struct {
	Seq     uint64          `json:"seq"`
	At      float64         `json:"at"`
	Name    string          `json:"name"`
	ID      *string         `json:"id,omitempty"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key,omitempty"`
	Attempt int             `json:"attempt"`
	Worker  int32           `json:"worker"`
	Outcome observe.Outcome `json:"outcome"`
	Type    string          `json:"type,omitempty"`
	Error   string          `json:"error,omitempty"`
	Stack   string          `json:"stack,omitempty"`
	Waited  float64         `json:"waited"`
	Took    float64         `json:"took"`
	Trace   string          `json:"trace,omitempty"`
}

// rowsOfRecords returns the rows of executions. It asks errors for their texts, within a limit for all.
func (x *managed) rowsOfRecords(list []*record) []executionRow {
	rows := make([]executionRow, len(list))
	until := time.Now().Add(askingTime)
	for i, r := range list {
		if r.lastError != nil {
			x.readError(r, until)
		}
		rows[i] = executionRow{
			Seq: r.number, At: unix(r.at), Kind: r.kind, Key: r.key, Attempt: r.attempt, Worker: r.worker, Outcome: r.outcome,
			Type: r.errorType, Error: r.err, Stack: r.stack, Waited: secondsOf(r.waited), Took: secondsOf(r.took), Trace: r.trace,
		}
		rows[i].Name, rows[i].ID = shownName(r.name)
	}
	return rows
}

// secondsOf returns a duration in seconds, or -1 if it is unknown.
func secondsOf(d time.Duration) float64 {
	if d < 0 {
		return -1
	}
	return d.Seconds()
}

// historyAnswer has executions that are remembered.
type historyAnswer struct {
	Executions []executionRow `json:"executions"`
	Available  bool           `json:"available"`
	Forgotten  uint64         `json:"forgotten"`
}

// mostExecutions bounds the executions of an answer, which may have stacks.
const mostExecutions = 200

// getHistory answers with executions, the newest first.
func (x *managed) getHistory(args url.Values) (any, error) {
	s, err := spanOf(args, 50, mostExecutions)
	if err != nil {
		return nil, err
	}
	outcome := args.Get("outcome")
	if _, ok := outcomes[outcome]; !ok {
		return nil, badRequest("outcome is %.40q; it must be success, failure, panic, cancelled, or empty for all but successes", outcome)
	}
	list, forgotten, ok := x.records(outcome)
	kind, name := matcher(args.Get("kind")), args.Get("name")
	list = slices.DeleteFunc(list, func(r *record) bool { return !kind(r.kind) || !contains(r.name, name) })
	return historyAnswer{x.rowsOfRecords(of(s, list)), ok, forgotten}, nil
}
