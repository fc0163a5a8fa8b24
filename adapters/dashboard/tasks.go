package dashboard

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// The states of tasks, in the order in which a page lists them.
var states = []string{"running", "blocked", "restarting", "queued", "delayed"}

// stateOf returns the state of an outstanding task. As in [taskmanager.Counts], a task whose restart is
// due is queued.
func stateOf(s *taskmanager.TaskStatus) string {
	switch {
	case s.Status == taskmanager.NotAssigned && !s.DueAt.IsZero():
		return "delayed"
	case s.Status == taskmanager.Restarted && !s.DueAt.IsZero():
		return "restarting"
	case s.Status == taskmanager.NotAssigned || s.Status == taskmanager.Restarted:
		return "queued"
	}
	return string(s.Status)
}

// taskRow is the row of a task.
type taskRow struct {
	Name          string   `json:"name"`
	ID            *string  `json:"id,omitempty"`
	State         string   `json:"state"`
	Kind          string   `json:"kind,omitempty"`
	Key           string   `json:"key,omitempty"`
	Priority      int      `json:"priority,omitempty"`
	Attempt       int      `json:"attempt"`
	Restarts      int      `json:"restarts"`
	Worker        int32    `json:"worker,omitempty"`
	Description   string   `json:"description,omitempty"`
	Progress      *float64 `json:"progress,omitempty"`
	ProgressError string   `json:"progressError,omitempty"`
	Error         string   `json:"error,omitempty"`
	Queued        float64  `json:"queued,omitempty"`
	Started       float64  `json:"started,omitempty"`
	Due           float64  `json:"due,omitempty"`
	Deadline      float64  `json:"deadline,omitempty"`
	Trace         string   `json:"trace,omitempty"`
	Mute          bool     `json:"mute,omitempty"`    // its Progress does not answer
	Unasked       bool     `json:"unasked,omitempty"` // its Progress was not asked
}

// found is a task with its status, for which no code of the task was called.
type found struct {
	h      *taskmanager.Handle
	status taskmanager.TaskStatus
}

// rows returns the rows of tasks. It asks each task for its progress, within a limit for all.
func (x *managed) rows(list []found) []taskRow {
	rows := make([]taskRow, len(list))
	until := time.Now().Add(askingTime)
	for i := range list {
		rows[i] = x.row(&list[i], until)
	}
	return rows
}

// row returns the row of a task.
func (x *managed) row(f *found, until time.Time) taskRow {
	s := &f.status
	row := taskRow{
		State: stateOf(s), Kind: text.Line(s.Kind, text.NameLimit), Key: text.Line(s.Key, text.NameLimit), Priority: s.Priority,
		Attempt: s.Attempt, Restarts: s.Restarts, Worker: s.Worker, Description: text.Line(s.Description, text.NameLimit),
		Queued: unixOrZero(s.QueuedAt), Started: unixOrZero(s.StartedAt), Due: unixOrZero(s.DueAt),
	}
	row.Name, row.ID = shownName(s.Name)
	if at, ok := f.h.Deadline(); ok {
		row.Deadline = unix(at)
	}
	if x.collector != nil && s.Worker != 0 {
		row.Trace = x.collector.trace(s.Worker, s.Name, s.Attempt)
	}
	of := weak.Make(f.h)
	told, how := ask(&x.asker, of, until, func() told { return tell(f.h) })
	row.Mute, row.Unasked = how == mute, how == unasked
	row.Description = cmp.Or(row.Description, told.description)
	row.Progress, row.ProgressError = told.progress, told.progressError
	if s.LastError != nil { // another type of code, which may answer if the progress does not
		row.Error, how = ask(&x.asker, errorOf{of}, until, func() string { return errorText(s.LastError) })
		row.Error = cmp.Or(row.Error, how.String())
	}
	return row
}

// unixOrZero is unix for a time that may be zero.
func unixOrZero(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return unix(t)
}

// errorOf stands for the errors of a task.
type errorOf struct {
	weak.Pointer[taskmanager.Handle]
}

// told is what methods of a task return.
type told struct {
	progress      *float64
	description   string
	progressError string
}

// tell calls foreign code.
func tell(h *taskmanager.Handle) (t told) {
	progress, description, err := h.Progress()
	t.description, t.progressError = text.Line(description, text.NameLimit), errorText(err)
	switch {
	case math.IsNaN(progress) || math.IsInf(progress, 0):
		t.progressError = cmp.Or(t.progressError, "the progress is not a finite number")
	case err == nil && (progress != 0 || description != ""):
		share := min(max(progress, 0), 1)
		t.progress = &share
	}
	return t
}

// search is what a request for tasks asks for.
type search struct {
	text      string
	state     string
	kind, key func(string) bool
	span
	after string
	began time.Time
}

// Bounds on a search.
const (
	defaultTasks = 50
	mostTasks    = 200
	searchTime   = 100 * time.Millisecond
	portion      = 256 // tasks that are looked at between two looks at the clock
)

// tasksAnswer is a page of tasks.
type tasksAnswer struct {
	Tasks    []taskRow `json:"tasks"`
	Scanned  int       `json:"scanned"`
	Complete bool      `json:"complete"`
	More     bool      `json:"more"`
	Next     string    `json:"next,omitempty"`
	Took     float64   `json:"took"`
}

// searchOf returns what a request asks for.
func searchOf(args url.Values) (s search, err error) {
	s = search{
		text: args.Get("q"), state: args.Get("state"), after: args.Get("after"), began: time.Now(),
		kind: matcher(args.Get("kind")), key: matcher(args.Get("key")),
	}
	if s.state != "" && !slices.Contains(states, s.state) {
		return s, badRequest("state is %.40q; it must be one of %s, or empty", s.state, strings.Join(states, ", "))
	}
	if s.after != "" && args.Get("skip") != "" {
		return s, badRequest("both after and skip are given; after continues behind a page, and skip counts from the begin, so use one of them")
	}
	s.span, err = spanOf(args, defaultTasks, mostTasks)
	return s, err
}

// matcher returns a condition for texts that the shown text selects: the exact text, or one that is
// shown so. An empty text selects all.
func matcher(shown string) func(string) bool {
	// Only these come of a change to a text.
	changed := strings.ContainsAny(shown, "\\\ufffd…")
	return func(s string) bool {
		return shown == "" || s == shown || changed && text.Line(s, text.NameLimit) == shown
	}
}

// contains reports whether a name contains a text.
func contains(name, part string) bool { return strings.Contains(name, part) }

// getTasks answers with outstanding tasks.
func (x *managed) getTasks(args url.Values) (any, error) {
	s, err := searchOf(args)
	if err != nil {
		return nil, err
	}
	var list []found
	var answer tasksAnswer
	if f, ok := x.exact(&s); ok {
		list, answer = []found{f}, tasksAnswer{Scanned: 1, Complete: true}
	} else if s.onWorkers() && x.m.Snapshot().Inline == 0 {
		list, answer, err = x.searchWorkers(&s)
	} else {
		list, answer, err = x.searchAll(&s)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(slices.Index(states, stateOf(&a.status)), slices.Index(states, stateOf(&b.status))),
			cmp.Compare(a.status.Name, b.status.Name))
	})
	answer.Took = time.Since(s.began).Seconds()
	answer.Tasks = x.rows(list)
	return answer, nil
}

// exact returns the task whose whole name is the text of the search.
func (x *managed) exact(s *search) (f found, ok bool) {
	if s.text == "" || s.after != "" || s.skip > 0 {
		return found{}, false
	}
	h, ok := x.m.Lookup(s.text)
	if !ok {
		return found{}, false
	}
	return s.selects(h)
}

// selects looks at a task, and reports whether it is outstanding and meets the conditions of the search.
func (s *search) selects(h *taskmanager.Handle) (f found, ok bool) {
	if !contains(h.Name(), s.text) || !s.key(h.Key()) || !s.kind(h.Kind()) {
		return found{}, false // the status takes longer
	}
	f = found{h, h.Peek()}
	return f, f.status.Status != taskmanager.Finished && (s.state == "" || s.state == stateOf(&f.status))
}

// onWorkers reports whether all tasks that meet the conditions are on workers.
func (s *search) onWorkers() bool { return s.state == "running" || s.state == "blocked" }

// workerCursor begins a cursor that names a worker. Those of the manager are longer.
const workerCursor = "worker-"

// searchWorkers looks for tasks among those that workers run, in the order of their workers.
func (x *managed) searchWorkers(s *search) (list []found, answer tasksAnswer, err error) {
	first := 0
	if s.after != "" {
		id, ok := strings.CutPrefix(s.after, workerCursor)
		if first, err = strconv.Atoi(id); !ok || err != nil {
			return nil, answer, badRequest("after is %.60q; it must be the next of a page with the same state, or empty", s.after)
		}
	}
	skip := s.skip
	for id, info := range x.m.Workers() {
		if int(id) <= first || info.Status == taskmanager.Waiting {
			continue
		}
		answer.Scanned++
		h, ok := x.m.Lookup(info.TaskName)
		if !ok {
			continue
		}
		f, ok := s.selects(h)
		switch {
		case !ok:
		case skip > 0:
			skip--
		case len(list) == s.limit:
			answer.More = true
			answer.Next = workerCursor + strconv.Itoa(int(list[len(list)-1].status.Worker))
			return list, answer, nil
		default:
			f.status.Worker = id
			list = append(list, f)
		}
	}
	answer.Complete = true
	return list, answer, nil
}

// searchAll looks for tasks among all that are outstanding, until the page is full or the time for a
// search is over.
//
// The manager reads portions of its names. If one has more tasks than the page has room for, it is
// read again up to the last task that is shown, since the next page continues behind a portion.
func (x *managed) searchAll(s *search) (list []found, answer tasksAnswer, err error) {
	if strings.HasPrefix(s.after, workerCursor) {
		return nil, answer, badRequest("after is %.60q; it must be the next of a page with the same state, or empty", s.after)
	}
	at, limit, skip := s.after, portion, s.skip
	for {
		handles, next, err := x.m.Page(taskmanager.Filter{After: at, Limit: limit})
		if err != nil {
			return nil, answer, badRequest("%v", err)
		}
		selected, ends := s.selectFrom(handles)
		if room := s.limit - len(list) + skip; len(selected) > room {
			limit = ends[room-1] // less than before
			continue
		}
		skipped := min(skip, len(selected))
		skip -= skipped
		list = append(list, selected[skipped:]...)
		answer.Scanned += len(handles)
		if at, limit = next, portion; at == "" {
			answer.Complete = true
			return list, answer, nil
		}
		if len(list) == s.limit {
			answer.More, answer.Next = true, at
			return list, answer, nil
		}
		if time.Since(s.began) >= searchTime {
			answer.More, answer.Next = true, at
			return list, answer, nil
		}
	}
}

// selectFrom returns the tasks that the search selects and, for each, how many of the handles lead up
// to it.
func (s *search) selectFrom(handles []*taskmanager.Handle) (list []found, ends []int) {
	for i, h := range handles {
		if f, ok := s.selects(h); ok {
			list, ends = append(list, f), append(ends, i+1)
		}
	}
	return list, ends
}

// taskAnswer describes one task.
type taskAnswer struct {
	Task *taskRow       `json:"task"`
	Past []executionRow `json:"past"`
}

// getTask answers with a task and what is remembered of it. That there is neither is no error: a task may end
// at any time, and browsers would report it.
func (x *managed) getTask(args url.Values) (any, error) {
	name := args.Get("name")
	answer := taskAnswer{Past: x.rowsOfRecords(x.pastOf(name))}
	if h, ok := x.m.Lookup(name); ok {
		if f := (found{h, h.Peek()}); f.status.Status != taskmanager.Finished {
			row := x.row(&f, time.Now().Add(askingTime))
			answer.Task = &row
		}
	}
	return answer, nil
}

// queueAnswer has the next tasks that will run.
type queueAnswer struct {
	Tasks      []taskRow `json:"tasks"`
	Total      uint64    `json:"total"`
	Ordered    bool      `json:"ordered"`
	Discipline string    `json:"discipline"`
}

// getQueue answers with the next tasks in the order of the discipline.
func (x *managed) getQueue(url.Values) (any, error) {
	tasks, ok := x.m.Next(defaultTasks)
	list := make([]found, len(tasks))
	for i, h := range tasks {
		list[i] = found{h, h.Peek()}
	}
	list = slices.DeleteFunc(list, func(f found) bool { return f.status.Status == taskmanager.Finished })
	return queueAnswer{
		Tasks: x.rows(list), Total: x.m.Counts().Queued, Ordered: ok,
		Discipline: text.Line(x.m.Describe().Discipline, text.NameLimit),
	}, nil
}
