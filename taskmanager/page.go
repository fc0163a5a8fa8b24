package taskmanager

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// Filter selects tasks for [TaskManager.Page], and says where the page begins and how long it may
// be. A task is selected if it meets all conditions. A zero field is no condition.
type Filter struct {
	// After is where the page begins: next of the page before. "" is the begin of the list.
	After string
	// Limit is the largest number of tasks on the page; 0 means 100.
	Limit int
	// Budget is the time for which the page may look for tasks; 0 means any time. It is
	// looked at after every 256 tasks, so a page takes a little longer, and each page makes progress.
	Budget time.Duration

	Prefix   string       // the name begins with it
	Contains string       // the name contains it
	Kind     string       // see [TaskWithKind]
	Key      string       // see [Handle.Key]
	Status   WorkerStatus // NotAssigned, Running, Blocked or Restarted
}

// defaultPage is the limit of a page whose filter has none.
const defaultPage = 100

// Page returns outstanding tasks that f selects, in no particular order, and the place at which the
// next page begins. To get all of them, pass next as After of the next Filter until next is "": then
// the list is complete. A page that its budget has cut short may have few tasks or none, and its
// next is not "".
//
// Over all pages, no task is returned twice, and each task that is outstanding and selected from
// the first page to the last is returned. A task that is submitted, ends, or changes its status
// meanwhile may be returned or not, and a task may end before the caller looks at it. A task that
// waits behind another one of its name is not listed until it takes the name; see [WithRerun].
// [TaskManager.Tasks] includes it. (Once
// in 2^31 submits, or more, an iteration that is under way may return some tasks again.)
//
// The filter may change from page to page. The place is valid as long as the manager, however many
// tasks come and go, and to continue there takes no longer for the last page than for the first.
//
// The errors are faults of f: a negative limit or budget, a status that no outstanding task has,
// or a place that Page of this manager has not returned.
//
// Page calls no code of tasks. It holds no lock while it filters, and locks a part of the table of
// names for 256 names at once. Without conditions, a page takes time in proportion to its tasks.
// With conditions, it looks at all tasks in turn until the page is full: first at the name, then at
// key, status and kind. Among a million tasks, a search by name takes some tenths of a second, and
// one by kind about a second. [TaskManager.Lookup] finds a task by its whole name.
func (m *TaskManager) Page(f Filter) (tasks []*Handle, next string, err error) {
	at, err := m.pageStart(f)
	if err != nil {
		return nil, "", err
	}
	limit, begin := cmp.Or(f.Limit, defaultPage), time.Now()
	var buffer [pagePortion]names.Item[Handle]
	for !at.Done() {
		n, end := m.names.Read(at, buffer[:])
		for _, item := range f.named(buffer[:n]) {
			if !f.selects(item.Task) {
				continue
			}
			if tasks = append(tasks, item.Task); len(tasks) == limit {
				return tasks, m.names.Text(item.Next), nil
			}
		}
		if at = end; f.Budget > 0 && !at.Done() && time.Since(begin) >= f.Budget {
			return tasks, m.names.Text(at), nil
		}
	}
	return tasks, "", nil
}

// pagePortion is the number of names that Page reads while it holds a lock.
const pagePortion = 256

// pageStart returns the place at which a page begins, or the faults of its filter.
func (m *TaskManager) pageStart(f Filter) (at names.Cursor, err error) {
	ok := true
	if f.After != "" {
		at, ok = m.names.Parse(f.After)
	}
	return at, errors.Join(
		fault(!ok, "taskmanager: Page: After is %.100q; it must be empty, or what Page of this manager has returned", f.After),
		fault(f.Limit < 0, "taskmanager: Page: the limit is %d; it must be positive, or 0 for %d", f.Limit, defaultPage),
		fault(f.Budget < 0, "taskmanager: Page: the budget is %v; it must be positive, or 0 for none", f.Budget),
		fault(f.states() == 0, "taskmanager: Page: the status is %.100q, which no outstanding task has; it must be empty, NotAssigned, Running, Blocked or Restarted", string(f.Status)),
	)
}

// states returns the states that a task with the status of the filter may be in, as a set of bits.
func (f *Filter) states() (set uint8) {
	const executing = 1<<running | 1<<asking
	switch f.Status {
	case "":
		return ^uint8(1 << ended)
	case NotAssigned, Restarted:
		return ^uint8(executing | 1<<ended)
	case Running, Blocked:
		return executing
	}
	return 0
}

// named keeps the items whose names are selected. It does not touch the second cache line of a
// task, which its worker writes.
func (f *Filter) named(items []names.Item[Handle]) []names.Item[Handle] {
	if f.Prefix == "" && f.Contains == "" {
		return items
	}
	// A loop of its own for what is most likely not in the cache: the processor then waits for
	// several tasks at once.
	var texts [pagePortion]string
	for i := range items {
		texts[i] = items[i].Task.name
	}
	kept := items[:0]
	for i, item := range items {
		if strings.HasPrefix(texts[i], f.Prefix) && strings.Contains(texts[i], f.Contains) {
			kept = append(kept, item)
		}
	}
	return kept
}

// selects reports whether a task whose name is selected meets the other conditions, and is
// outstanding. It takes the lock of the task only if the state does not decide.
func (f *Filter) selects(h *Handle) bool {
	if f.Key != "" && f.Key != h.Key() || f.states()&(1<<h.word.State()) == 0 {
		return false
	}
	if f.Kind == "" && f.Status == "" {
		return true
	}
	h.word.Lock()
	kind, status := h.kindLocked(), h.statusLocked()
	worker, _ := h.ranLocked()
	h.word.Unlock()
	return (f.Kind == "" || f.Kind == kind) && (f.Status == "" || f.Status == h.orBlocked(status, worker))
}
