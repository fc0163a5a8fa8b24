//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// checkResults compares what those who wait for tasks learn with the ledger.
func (c *chaos) checkResults() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended, dead, asked := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, l := range c.find(ledger.End, "") {
		ended[l.ID] = true
	}
	for _, l := range c.find(ledger.Asked, "") {
		asked[l.Name] = true
	}
	for _, d := range c.deadLetters() {
		dead[d.ID] = true
	}
	for _, task := range c.results {
		err := task.Wait(ctx)
		_, failed := errors.AsType[*nats.ResultError](err)
		if ctx.Err() != nil {
			c.t.Fatalf("no result of %q, %s:\n%s", task.Name(), task.ID(), c.story(task.Name()))
		}
		right := false // another error than these means that the outcome is lost
		switch {
		case err == nil:
			right = ended[task.ID()]
		case failed:
			right = dead[task.ID()]
		case errors.Is(err, taskmanager.ErrCancelled):
			right = asked[task.Name()]
		case errors.Is(err, nats.ErrNoResult):
			right = c.saidNoResult(task)
		}
		if !right {
			c.t.Errorf("the result of %q, %s, is %v:\n%s", task.Name(), task.ID(), err, c.story(task.Name()))
		}
	}
}

// saidNoResult reports whether a worker that ran a task has logged that it could not store a result. Of several, it may
// log only the first one.
func (c *chaos) saidNoResult(task *nats.Task) bool {
	return slices.ContainsFunc(c.runs(task.Name()), func(r ledger.Run) bool {
		return r.ID == task.ID() && strings.Contains(string(c.log(r.Process)), "waits for it end without a result")
	})
}

// checkDead fails for dead letters that should have succeeded. A task is also dead after c.crashes times in a row its
// worker was killed, stopped, frozen or cut off, or a server was killed or had a full disk: then the processes that ran it and the servers
// had at least that many faults.
func (c *chaos) checkDead() {
	innocent := 0
	for _, d := range c.deadLetters() {
		if c.dies[d.ID] {
			continue
		}
		suspects := map[string]bool{} // that ran the task
		for _, r := range c.runs(d.Name) {
			if r.ID == d.ID {
				suspects[r.Process] = true
			}
		}
		tried := ledger.Select(c.find(ledger.Try, d.Name), func(l ledger.Line) bool { return l.ID == d.ID })
		faults := ledger.Select(c.lines(), func(l ledger.Line) bool {
			fault := slices.Contains([]ledger.Event{ledger.Kill, ledger.Freeze, ledger.Cut, ledger.Term, ledger.Full}, l.Event)
			involved := suspects[l.Process] || strings.HasPrefix(l.Process, ledger.ServerPrefix)
			return fault && involved && len(tried) > 0 && tried[0].At < l.At && l.At < d.At.UnixNano()
		})
		if len(faults) < c.crashes || !strings.Contains(d.Reason, "lease") {
			c.t.Errorf("%q, %s, is dead after %d faults of its processes and of servers: %s\n%s", d.Name, d.ID, len(faults), d.Reason, c.story(d.Name))
		}
		innocent++
	}
	c.t.Logf("%d dead letters of tasks whose processes and servers had %d faults or more", innocent, c.crashes)
}

// checkForeign fails unless the tasks that no worker can decode are dead, and that of a newer version is still stored,
// though a worker had it.
func (c *chaos) checkForeign() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dead := map[string]bool{}
	for _, d := range c.deadLetters() {
		dead[d.ID] = true
		if d.ID == newer {
			c.t.Errorf("the task of a newer version is dead: %s", d.Reason)
		}
	}
	for _, l := range ledger.Select(c.find(ledger.Accepted, ""), func(l ledger.Line) bool { return strings.HasPrefix(l.Name, unreadable) }) {
		if !dead[l.ID] {
			c.t.Errorf("there is no dead letter of a task that no worker can decode:\n%s", c.story(l.Name))
		}
	}
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := s.GetLastMsgForSubject(ctx, newerSubject); err != nil {
		c.t.Errorf("the task of a newer version is not stored any more: %v", err)
	}
	histories, err := c.js.KeyValue(ctx, "tasks_STATE")
	if err != nil {
		c.t.Fatal(err)
	}
	// Its last worker may have been killed before it gave the task back.
	c.until("a worker to give back the task of a newer version", func(ctx context.Context) error {
		_, err := histories.Get(ctx, newer)
		return err
	})
}

// isLacking reports whether too little has happened for the checks to say something. It fails if that is so after a
// time, and reports false then.
func (c *chaos) isLacking(last time.Time) bool {
	what := c.lacking()
	if what != "" && time.Now().After(last) {
		c.t.Errorf("too little has happened: %s", what)
		return false
	}
	return what != ""
}

// lacking returns something that has happened less often than the checks need, or "". Faults have happened when they are
// over.
func (c *chaos) lacking() string {
	count := c.count()
	least := map[string]int{
		"accepted": 100, "end": 100, "accepted " + unreadable: 1, "cancel true": 1,
		"kill w": 1, "kill server": 1, "thaw w": 1, "mend w": 1, "term w": 1,
	}
	for _, kind := range []string{job.Plain, job.Again, job.Keyed, job.Few, job.Square, job.Tick} {
		least["end "+kind] = 1
	}
	if c.disk.dir != "" {
		least["room server"] = 1
	}
	for what, n := range least {
		if count[what] < n {
			return fmt.Sprintf("%q happened %d times, want at least %d", what, count[what], n)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.results) == 0 {
		return "no task with a result was accepted"
	}
	return ""
}

// checkAnswers fails if many calls were not answered, though they were repeated for longer than any fault lasts.
func (c *chaos) checkAnswers() {
	count := c.count()
	if answered := count["cancel true"] + count["cancel false"] + count["cancel unknown"]; answered < count["asked"]/2 {
		c.t.Errorf("of %d cancellations, %d were answered", count["asked"], answered)
	}
	if count["unknown"] > count["accepted"]/10 {
		c.t.Errorf("the outcome of %d submits is unknown, and %d were accepted", count["unknown"], count["accepted"])
	}
}

// checkLimits fails unless as many tasks of the limited kind and of each key ran at once as are allowed, and no more.
// That many ran in the end, when no fault was an excuse. The limit of a kind is that of what the server counts; a key has
// places that the workers take.
func (c *chaos) checkLimits() {
	runs := ledger.Undisturbed(c.runs(""), c.lines())
	for _, b := range chaosBounds() {
		of := ledger.Select(runs, func(r ledger.Run) bool { return r.Kind == b.kind && r.Text == b.key })
		if b.kind == job.Few {
			of = ledger.Counted(of)
		}
		if peak := ledger.Peak(of); peak != b.limit {
			c.t.Errorf("at most %d tasks of %s ran at once, want %d", peak, b, b.limit)
		}
	}
}

// count counts what has happened: by event, by the role of the process if the event is one of a process, and by the kind
// of a task that has ended.
func (c *chaos) count() map[string]int {
	count := map[string]int{}
	for _, l := range c.lines() {
		switch role := strings.TrimRight(l.Process, "0123456789"); l.Event {
		case ledger.Kill, ledger.Term, ledger.Freeze, ledger.Thaw, ledger.Cut, ledger.Mend, ledger.Launch, ledger.Full, ledger.Room:
			count[string(l.Event)+" "+role]++
		case ledger.Answered:
			count["cancel "+l.Text]++
		default:
			count[string(l.Event)]++
			if l.Event == ledger.End {
				count["end "+l.Kind]++
			}
			if l.Event == ledger.Accepted && strings.HasPrefix(l.Name, unreadable) {
				count["accepted "+unreadable]++
			}
		}
	}
	return count
}

// figures logs what has happened.
func (c *chaos) figures() {
	count := c.count()
	twice := 0
	ends := map[string]int{}
	for _, l := range c.find(ledger.End, "") {
		if ends[l.ID]++; ends[l.ID] == 2 {
			twice++
		}
	}
	var text []string
	for _, k := range slices.Sorted(maps.Keys(count)) {
		text = append(text, fmt.Sprint(k, " ", count[k]))
	}
	c.t.Logf("%s; %d tasks ended more than once; %d dead letters", strings.Join(text, ", "), twice, len(c.deadLetters()))
}
