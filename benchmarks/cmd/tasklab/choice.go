package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// named is something that can be asked for by its name.
type named[T any] struct {
	name, meaning string
	value         T
}

// disciplines are the orders in which files that wait can be read. What they
// order by are the attributes of a fileTask.
var disciplines = []named[taskmanager.Discipline]{
	{"fifo", "the one that was found first", taskmanager.FIFO()},
	{"lifo", "the one that was found last", taskmanager.LIFO()},
	{"priority", fmt.Sprintf("the smallest; but a larger one lets at most %d pass for each doubling of the size", ageing), taskmanager.Priority(ageing)},
	{"deadline", fmt.Sprintf("the most urgent; a file is due %v + %v per KiB after it was found", leastAllowance, allowancePerKiB), taskmanager.Deadline(0)},
	{"fair", "one from the top-level folder whose turn it is; all get equal shares of the bytes", taskmanager.Fair(nil)},
	{"codel", "as fifo; but in overload those that have waited for too long are shed, that is not read", taskmanager.CoDel(taskmanager.CoDelConfig{})},
}

// overflows are what can be done with a file when the queue is full. Reject is
// none of them: the walk would have to do one of these then.
var overflows = []named[taskmanager.Overflow]{
	{"block", "the walk waits", taskmanager.Block},
	{"drop-newest", "that file is dropped, that is not read", taskmanager.DropNewest},
	{"drop-oldest", "the file that has waited longest is dropped", taskmanager.DropOldest},
	{"drop-worst", "the file is dropped that -queue can best do without, as a rule the last in its order", taskmanager.DropWorst},
	{"caller-runs", "the walk reads that file itself", taskmanager.CallerRuns},
}

// choice is the value of a flag that is one of several.
type choice[T any] struct {
	named[T] // the chosen one
	among    []named[T]
}

// choose is a choice with the first as the default.
func choose[T any](among []named[T]) choice[T] { return choice[T]{among[0], among} }

// Set chooses.
func (c *choice[T]) Set(name string) error {
	var names []string
	for _, n := range c.among {
		if n.name == name {
			c.named = n
			return nil
		}
		names = append(names, n.name)
	}
	return fmt.Errorf("choose one of %s", strings.Join(names, ", "))
}

// String is the name of the chosen one.
func (c *choice[T]) String() string { return c.name }

// explain writes what there is to choose from.
func (c *choice[T]) explain(w io.Writer, title string) {
	say(w, "\n%s\n", title)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range c.among {
		say(columns, "  %s\t%s\n", n.name, n.meaning)
	}
	_ = columns.Flush() // as with say, there is nobody to tell
}
