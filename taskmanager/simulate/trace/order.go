package trace

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// order puts rows in order of arrival, checks them, and passes them on as jobs.
type order struct {
	in    *input
	given *time.Duration // the window that the user has given
	yield func(workload.Job) bool

	read    int  // how many rows were read
	latest  row  // the row with the latest arrival
	rows    heap // those within the window of it
	ran     map[string]*mean
	all     mean
	first   time.Duration // the first arrival that was passed on
	passed  bool          // a job was passed on
	stopped bool          // yield wants no more
}

// errNoJobs is about the whole file; it is not located.
var errNoJobs = errors.New("has no jobs")

// mean is a mean of service times.
type mean struct {
	sum float64
	n   float64
}

func (m *mean) add(d time.Duration) { m.sum += float64(d); m.n++ }

func (m *mean) value() time.Duration { return time.Duration(m.sum / m.n) }

// window returns the window in which rows are sorted.
func (o *order) window() time.Duration {
	switch {
	case o.in.unordered:
		return InFull
	case o.given != nil:
		return *o.given
	}
	return o.in.window
}

// add adds a row. It passes on the rows before which no further one can arrive.
func (o *order) add(r row) error {
	window := o.window()
	o.read++
	r.sequence = o.read
	if !o.passed && len(o.rows) == 0 || r.At > o.latest.At {
		o.latest = r
	}
	if back := between(r.At, o.latest.At); back > window {
		return at(r.line, o.backwards(r, back))
	}
	if !r.neverRan && o.in.recorded {
		o.learn(r)
	}
	switch window {
	case 0:
		return o.pass(r)
	case InFull:
		o.rows = append(o.rows, r)
		return nil
	}
	o.rows.push(r)
	for len(o.rows) > 0 && !o.stopped && between(o.rows[0].At, o.latest.At) >= window {
		if err := o.pass(o.rows.pop()); err != nil {
			return err
		}
	}
	return nil
}

// backwards says that a row arrives before the window, and what to do.
func (o *order) backwards(r row, back time.Duration) error {
	return fmt.Errorf("the job arrives at %s, %v before the one of line %d, at %s: sort the file by arrival, or give a window of at least %v",
		o.in.time(r.At), back, o.latest.line, o.in.time(o.latest.At), back)
}

// between returns the time from one arrival to a later one, or the longest time if that is longer.
func between(from, to time.Duration) time.Duration {
	if d := to - from; d >= 0 {
		return d
	}
	return InFull
}

// learn remembers the service time of a row, for rows of its kind that never ran.
func (o *order) learn(r row) {
	of := o.ran[r.Kind]
	if of == nil {
		if o.ran == nil {
			o.ran = make(map[string]*mean)
		}
		of = new(mean)
		o.ran[r.Kind] = of
	}
	of.add(r.Service)
	o.all.add(r.Service)
}

// end passes on the remaining rows.
func (o *order) end() error {
	if o.stopped {
		return nil
	}
	slices.SortFunc(o.rows, row.compare)
	for _, r := range o.rows {
		if err := o.pass(r); err != nil || o.stopped {
			return err
		}
	}
	if !o.passed {
		return errNoJobs
	}
	return nil
}

// latestFirst is how long after the start of a workload the first job may arrive. Later ones are
// probably Unix times, of which 10⁸ seconds is in 1973.
const latestFirst = 1e8 * time.Second

// pass passes on a row.
func (o *order) pass(r row) error {
	if r.neverRan {
		of := o.ran[r.Kind]
		if of == nil {
			of = &o.all
		}
		if of.n == 0 {
			return at(r.line, errors.New("the task never ran, nor did another one before it, so its service time is unknown"))
		}
		r.Service = of.value()
	}
	if !o.passed {
		o.passed = true
		if o.in.relative {
			o.first = r.At
		} else if r.At > latestFirst {
			return at(r.line, fmt.Errorf("the first job arrives %s seconds after the start of the workload; if times begin elsewhere, such as in 1970, read them with Columns (tasklab: -at at -service service)",
				appendSeconds(nil, r.At)))
		}
	}
	since := r.At - o.first
	if since < 0 || since+r.Service < 0 || since+r.Deadline < 0 {
		return at(r.line, fmt.Errorf("the job ends, or has its deadline, more than %s after the first one arrives", longest))
	}
	r.At = since
	o.stopped = !o.yield(r.Job)
	return nil
}

// compare orders rows by arrival, and those with the same one as they were read.
func (r row) compare(other row) int {
	return cmp.Or(cmp.Compare(r.At, other.At), cmp.Compare(r.sequence, other.sequence))
}

// heap is a binary heap of rows: the children of row i are rows 2i+1 and 2i+2, and arrive later.
type heap []row

func (h *heap) push(r row) {
	rows := append(*h, r)
	for i := len(rows) - 1; i > 0; {
		parent := (i - 1) / 2
		if rows[parent].compare(rows[i]) <= 0 {
			break
		}
		rows[parent], rows[i] = rows[i], rows[parent]
		i = parent
	}
	*h = rows
}

func (h *heap) pop() row {
	rows := *h
	top, last := rows[0], len(rows)-1
	rows[0] = rows[last]
	rows[last] = row{} // for the garbage collector
	rows = rows[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && rows[child+1].compare(rows[child]) < 0 {
			child++
		}
		if rows[i].compare(rows[child]) <= 0 {
			break
		}
		rows[i], rows[child] = rows[child], rows[i]
		i = child
	}
	*h = rows
	return top
}
