package taskmanager_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// page lists the tasks of a manager in pages, with a random filter, and checks what they have.
func (d *driver) page() {
	f := taskmanager.Filter{Limit: 1 + d.random.IntN(20)}
	if d.random.IntN(2) == 0 {
		f.Budget = time.Duration(1 + d.random.IntN(1000))
	}
	some := func(field *string, values ...string) {
		if d.random.IntN(3) == 0 {
			*field = values[d.random.IntN(len(values))]
		}
	}
	some(&f.Prefix, "name/", "name/1", "child/", "schedule/")
	some(&f.Contains, "1", "/2", "d/")
	some(&f.Kind, "func", "*taskmanager_test.soakTask")
	some(&f.Key, "a", "bb")
	some((*string)(&f.Status), string(taskmanager.Running), string(taskmanager.NotAssigned), string(taskmanager.Blocked), string(taskmanager.Restarted))
	before := make(map[*taskmanager.Handle]bool)
	for _, h := range d.handles[max(0, len(d.handles)-200):] {
		found, _ := d.m.Lookup(h.Name())
		before[h] = found == h // and not behind another task of its name
	}
	seen := d.pages(f)
	if f.Prefix+f.Contains+f.Kind+f.Key+string(f.Status) != "" {
		d.s.count("pages: with a filter")
		return
	}
	d.s.count("pages: of all tasks")
	for h, outstanding := range before {
		if outstanding && !seen[h] && !isClosed(h.Done()) {
			d.fail("the task %q is on no page: %+v", h.Name(), h.Peek())
		}
	}
}

// pages returns the tasks on all pages of a filter.
func (d *driver) pages(f taskmanager.Filter) (seen map[*taskmanager.Handle]bool) {
	seen = make(map[*taskmanager.Handle]bool)
	for {
		page, next, err := d.m.Page(f)
		if err != nil || len(page) > f.Limit {
			d.fail("Page(%+v) returned %d tasks, %v", f, len(page), err)
			return seen
		}
		for _, h := range page {
			s := h.Peek()
			if seen[h] || !strings.HasPrefix(s.Name, f.Prefix) || !strings.Contains(s.Name, f.Contains) ||
				f.Kind != "" && f.Kind != s.Kind || f.Key != "" && f.Key != s.Key {
				d.fail("Page(%+v) has the task %+v; before: %v", f, s, seen[h])
			}
			seen[h] = true
		}
		if f.After = next; next == "" {
			return seen
		}
	}
}

// count checks the numbers of tasks by state.
func (d *driver) count() {
	c := d.m.Counts()
	if sum := c.Running + c.Delayed + c.Restarting + c.Queued; sum != c.Outstanding() || sum > c.Accepted {
		d.fail("the counts by state do not add up: %+v", c)
	}
	if ended := d.m.Counts().Ended(); ended < c.Ended() {
		d.fail("%d tasks have ended, after %d", ended, c.Ended())
	}
}

// checkCounts checks the counts after the end of the manager.
func (x *life) checkCounts() {
	if c := x.m.Counts(); c.Ended() != c.Accepted || c.Outstanding()+c.Running+c.Delayed+c.Restarting+c.Queued != 0 {
		x.fail("the counts after the end are %+v", c)
	}
}

// encode checks that the statuses of tasks and the history keep their values as JSON.
func (x *life) encode() {
	tasks, records := x.m.TaskStatus(), x.m.History()
	records = records[:min(len(records), 50)]
	text, err := json.Marshal(jsonState{tasks, records})
	var got jsonState
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || len(got.Tasks) != len(tasks) || len(got.Records) != len(records) {
		x.fail("%d tasks and %d records are %d and %d after JSON: %v", len(tasks), len(records), len(got.Tasks), len(got.Records), err)
		return
	}
	for name, s := range tasks {
		x.checkEncoded(s, got.Tasks[name])
	}
	for i, r := range records {
		x.checkEncoded(r.TaskStatus, got.Records[i].TaskStatus)
		if g := got.Records[i]; g.Outcome != r.Outcome || g.ErrorType != r.ErrorType || !g.EndedAt.Equal(r.EndedAt) {
			x.fail("the record %+v is %+v after JSON", r, g)
		}
	}
}

type jsonState struct {
	Tasks   map[string]taskmanager.TaskStatus
	Records []taskmanager.Record
}

// checkEncoded checks a status that was JSON. Of errors the text remains, and of times the moment.
func (x *life) checkEncoded(want, got taskmanager.TaskStatus) {
	plain := func(s taskmanager.TaskStatus) string {
		times := []time.Time{s.QueuedAt.UTC().Round(0), s.StartedAt.UTC().Round(0), s.DueAt.UTC().Round(0)}
		s.QueuedAt, s.StartedAt, s.DueAt = time.Time{}, time.Time{}, time.Time{}
		return fmt.Sprintf("%+v %v", s, times)
	}
	if plain(want) != plain(got) {
		x.fail("the status %s is %s after JSON", plain(want), plain(got))
	}
}
