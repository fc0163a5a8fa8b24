package settings

import (
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// perKey is the parameter of limitbykey, which is an entry and a variant.
var perKey = flagvalue.Parameter{
	Name: "limit", Kind: flagvalue.Count, Default: 1, Least: 1, Most: 1_000_000,
	Meaning: "how many tasks of a key may run at once", Tune: flagvalue.Range{From: 1, To: 32},
}

// Disciplines are the orders in which waiting tasks run.
var Disciplines = flagvalue.Menu[taskmanager.Discipline]{
	Title:  "With -queue NAME, the next of the waiting tasks to run is",
	Option: "taskmanager.WithQueue($value)",
	Entries: []flagvalue.Entry[taskmanager.Discipline]{
		{
			Name:    "fifo",
			Meaning: "the oldest",
			Make:    flagvalue.Always(taskmanager.FIFO()),
			Code:    "taskmanager.FIFO()",
		},
		{
			Name:    "lifo",
			Meaning: "the newest",
			Make:    flagvalue.Always(taskmanager.LIFO()),
			Code:    "taskmanager.LIFO()",
		},
		{
			Name:    "priority",
			Meaning: "one with the highest level",
			Parameters: []flagvalue.Parameter{{
				Name: "ageing", Kind: flagvalue.Count, Default: 100, Least: 0, Most: 1_000_000,
				Meaning: "how many newer tasks may pass a task for each level above it; 0: any number",
				Tune:    flagvalue.Range{From: 1, To: 10_000},
			}},
			Make: func(v flagvalue.Values) taskmanager.Discipline { return taskmanager.Priority(v.Count(0)) },
			Code: "taskmanager.Priority($ageing)",
		},
		{
			Name:    "deadline",
			Meaning: "the one with the earliest deadline",
			Parameters: []flagvalue.Parameter{{
				Name: "horizon", Kind: flagvalue.Duration, Default: 0, Least: 0, Most: longest,
				Absent: "0s: last", Meaning: "when a task without a deadline is due",
				Tune: flagvalue.Times(100*time.Millisecond, time.Minute),
			}},
			Make: func(v flagvalue.Values) taskmanager.Discipline { return taskmanager.Deadline(v.Duration(0)) },
			Code: "taskmanager.Deadline($horizon)",
		},
		{
			Name:     "fair",
			Meaning:  "one of each key in turn; keys get shares of the costs in proportion to their weights",
			Weighted: true,
			Make:     func(v flagvalue.Values) taskmanager.Discipline { return taskmanager.Fair(v.WeightFunc()) },
			Code:     "taskmanager.Fair($weights)",
		},
		{
			Name:    "codel",
			Meaning: "the oldest; but under overload, tasks that have waited too long are shed (not run)",
			Parameters: []flagvalue.Parameter{
				{
					Name: "target", Kind: flagvalue.Duration, Default: float64(queue.DefaultCoDelTarget), Least: shortest, Most: longest,
					Meaning: "the longest wait that is acceptable", Tune: flagvalue.Times(time.Millisecond, time.Second),
				},
				{
					Name: "interval", Kind: flagvalue.Duration, Default: float64(queue.DefaultCoDelInterval), Least: shortest, Most: longest,
					Meaning: "longer waits for all of this time are an overload", Tune: flagvalue.Times(10*time.Millisecond, 10*time.Second),
				},
			},
			Make: func(v flagvalue.Values) taskmanager.Discipline {
				return taskmanager.CoDel(taskmanager.CoDelConfig{Target: v.Duration(0), Interval: v.Duration(1)})
			},
			Code: "taskmanager.CoDel(taskmanager.CoDelConfig{Target: $target, Interval: $interval})",
		},
		{
			Name:       "limitbykey",
			Meaning:    "as fifo+limitbykey",
			Parameters: []flagvalue.Parameter{perKey},
			Make: func(v flagvalue.Values) taskmanager.Discipline {
				return taskmanager.LimitByKey(v.Count(0), taskmanager.FIFO())
			},
			Code: "taskmanager.LimitByKey($limit, taskmanager.FIFO())",
		},
	},
	Variants: []flagvalue.Variant[taskmanager.Discipline]{
		{
			Name:       "limitbykey",
			Meaning:    "as before the +, among the keys of which fewer tasks run than the limit",
			Parameters: []flagvalue.Parameter{perKey},
			Make: func(v flagvalue.Values, inner taskmanager.Discipline) taskmanager.Discipline {
				return taskmanager.LimitByKey(v.Count(0), inner)
			},
			Code: "taskmanager.LimitByKey($limit, $inner)",
		},
	},
}

// Overflows are what happens to a task when the queue is full. Reject is not one of
// them: the submitter would then have to do one of these itself.
var Overflows = flagvalue.Menu[taskmanager.Overflow]{
	Title:  "With -overflow NAME, when a task arrives and the queue is full,",
	Option: "$value",
	Entries: []flagvalue.Entry[taskmanager.Overflow]{
		{
			Name:    "block",
			Meaning: "its submitter waits",
			Make:    flagvalue.Always(taskmanager.Block),
			Code:    "taskmanager.Block",
		},
		{
			Name:    "drop-newest",
			Meaning: "that task is dropped (not run)",
			Make:    flagvalue.Always(taskmanager.DropNewest),
			Code:    "taskmanager.DropNewest",
		},
		{
			Name:    "drop-oldest",
			Meaning: "the task that has waited longest is dropped",
			Make:    flagvalue.Always(taskmanager.DropOldest),
			Code:    "taskmanager.DropOldest",
		},
		{
			Name:    "drop-worst",
			Meaning: "the task that -queue ranks last is dropped",
			Make:    flagvalue.Always(taskmanager.DropWorst),
			Code:    "taskmanager.DropWorst",
		},
		{
			Name:    "caller-runs",
			Meaning: "its submitter runs that task itself, beside the workers",
			Make:    flagvalue.Always(taskmanager.CallerRuns),
			Code:    "taskmanager.CallerRuns",
		},
	},
}
