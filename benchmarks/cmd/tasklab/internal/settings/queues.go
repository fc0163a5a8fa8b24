package settings

import (
	"fmt"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// ageing is how many later files of the next higher priority pass a file, at most.
const ageing = 100

// Disciplines are the orders in which waiting files are read. They order by the
// attributes of [workload.File].
var Disciplines = flagvalue.Menu[taskmanager.Discipline]{
	Title: "With -queue NAME, the next of the waiting files to be read is",
	Entries: []flagvalue.Named[taskmanager.Discipline]{
		{
			Name:    "fifo",
			Meaning: "the one that was found first",
			Value:   taskmanager.FIFO(),
		},
		{
			Name:    "lifo",
			Meaning: "the one that was found last",
			Value:   taskmanager.LIFO(),
		},
		{
			Name:    "priority",
			Meaning: fmt.Sprintf("the smallest; but at most %d later files pass a larger one for each doubling of the size", ageing),
			Value:   taskmanager.Priority(ageing),
		},
		{
			Name: "deadline",
			Meaning: fmt.Sprintf("the most urgent; a file is due %v + %v per KiB after it was found",
				workload.LeastAllowance, workload.AllowancePerKiB),
			Value: taskmanager.Deadline(0),
		},
		{
			Name:    "fair",
			Meaning: "one from each top-level folder in turn; each folder gets an equal share of the bytes",
			Value:   taskmanager.Fair(nil),
		},
		{
			Name:    "codel",
			Meaning: "as fifo; but under overload, files that have waited too long are shed (not read)",
			Value:   taskmanager.CoDel(taskmanager.CoDelConfig{}),
		},
	},
}

// Overflows are what happens to a file when the queue is full. Reject is not one
// of them: the walk would then have to do one of these itself.
var Overflows = flagvalue.Menu[taskmanager.Overflow]{
	Title: "With -overflow NAME, when a file is found and the queue is full,",
	Entries: []flagvalue.Named[taskmanager.Overflow]{
		{
			Name:    "block",
			Meaning: "the walk waits",
			Value:   taskmanager.Block,
		},
		{
			Name:    "drop-newest",
			Meaning: "that file is dropped (not read)",
			Value:   taskmanager.DropNewest,
		},
		{
			Name:    "drop-oldest",
			Meaning: "the file that has waited longest is dropped",
			Value:   taskmanager.DropOldest,
		},
		{
			Name:    "drop-worst",
			Meaning: "the file that -queue ranks last is dropped",
			Value:   taskmanager.DropWorst,
		},
		{
			Name:    "caller-runs",
			Meaning: "the walk reads that file itself",
			Value:   taskmanager.CallerRuns,
		},
	},
}
