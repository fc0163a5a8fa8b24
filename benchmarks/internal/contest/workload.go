package contest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// Workload is the work on which contenders are measured.
type Workload struct {
	Name     string // unique
	About    string // a description
	Services []Service
	Queueing bool // only contenders that queue can do it
	Isolated bool // each measurement is a process of its own, whose memory is measured

	Workers, Producers, Tasks int
	Procs                     int // GOMAXPROCS; 0 leaves it unchanged
	names                     int // that each producer needs; 0 means one for each of its tasks
	Beside                    int // if positive, the tasks are submitted once more, this many at a time

	task func() func()                             // makes the function of the tasks; nil for tasks that do nothing
	run  func(w Workload, s drive.Session) Measure // does the work once; nil means flood
}

// Measure is one measurement.
type Measure struct {
	Seconds float64 // from the first submit to the end of the last task
	Tasks   int
	Allocs  uint64
	Bytes   uint64

	// If Workload.Beside is positive, the time of all tasks, that many at a time, in seconds.
	Beside float64 `json:",omitempty"`

	// For latency workloads, instead of Seconds: from submit to start.
	Latencies *drive.Latencies `json:",omitempty"`

	// For isolated workloads.
	PeakBytes      uint64 `json:",omitempty"`
	PeakGoroutines int    `json:",omitempty"`

	Err string `json:",omitempty"` // why the measurement failed
}

// PerTask returns the nanoseconds per task.
func (m Measure) PerTask() float64 { return m.Seconds * 1e9 / float64(m.Tasks) }

// Fits reports whether a contender can do the work.
func (w Workload) Fits(c Contender) bool {
	return slices.Contains(w.Services, c.Service) && (c.Queues || !w.Queueing)
}

// In the workload nested, nests tasks submit nestSize others each.
const (
	nests    = 5_000
	nestSize = 9
)

var everybody = []Service{Runs, Batches, Names, Answers}

// Workloads returns all workloads.
func Workloads() []Workload {
	list := []Workload{
		{Name: "empty, 2 workers", About: "tasks that do nothing, 2 workers", Services: everybody, Workers: 2, Producers: 1, Tasks: 100_000},
		{Name: "empty, 100 workers", About: "tasks that do nothing, 100 workers", Services: everybody, Workers: 100, Producers: 1, Tasks: 100_000},
		{
			Name: "empty, 1 processor", About: "tasks that do nothing, 2 workers, GOMAXPROCS 1",
			Services: everybody, Workers: 2, Producers: 1, Tasks: 100_000, Procs: 1,
		},
		{Name: "1 µs", About: "tasks that compute for 1 µs, 2 workers", Services: everybody, Workers: 2, Producers: 1, Tasks: 50_000, task: computing(time.Microsecond)},
		{Name: "10 µs", About: "tasks that compute for 10 µs, 2 workers", Services: everybody, Workers: 2, Producers: 1, Tasks: 10_000, task: computing(10 * time.Microsecond)},
		{Name: "latency", About: "one task at a time, 2 workers: from submit to start", Services: []Service{Runs, Names}, Workers: 2, Producers: 1, Tasks: 50_000, run: pingPong},
		{Name: "bursts", About: "100 tasks after a pause of 1 ms, again and again, 10 workers", Services: everybody, Workers: 10, Producers: 1, Tasks: 5_000, run: bursts},
		{
			Name: "nested", About: fmt.Sprint("tasks that submit ", nestSize, " others each, 2 workers"),
			Services: []Service{Runs, Batches, Names}, Queueing: true, Workers: 2, Producers: 2 * nests, names: nestSize, Tasks: nests * (1 + nestSize), run: nested,
		},
	}
	for _, n := range []int{2, 8, 64} {
		list = append(list, Workload{
			Name: fmt.Sprint("empty, ", n, " producers"), About: fmt.Sprint("tasks that do nothing, from ", n, " producers, 2 workers"),
			Services: everybody, Workers: 2, Producers: n, Tasks: 100_000,
		})
	}
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		list = append(list, Workload{
			Name: fmt.Sprint(n, " outstanding"), About: fmt.Sprint(n, " tasks that do nothing are submitted before the first may end, 2 workers"),
			Services: []Service{Runs, Batches, Names}, Queueing: true, Workers: 2, Producers: 1, Tasks: n, run: outstanding,
		})
	}
	list[len(list)-1].Beside = 1000
	const million = 1_000_000
	for _, producers := range []int{1, 100, 1000, 10_000, million} {
		share := fmt.Sprintf("%d × %d", producers, million/producers)
		list = append(list,
			Workload{
				Name: "sleep, " + share, About: share + " × sleep 10 ms, 50,000 workers", Services: []Service{Runs, Batches, Names},
				Isolated: true, Workers: 50_000, Producers: producers, Tasks: million, task: sleeping,
			},
			Workload{
				Name: "cpu, " + share, About: share + " × compute 1 µs, 50,000 workers", Services: []Service{Runs, Batches, Names},
				Isolated: true, Workers: 50_000, Producers: producers, Tasks: million, task: computing(time.Microsecond),
			})
	}
	return list
}

// Round does the work once. It checks the number of tasks that ended.
func (w Workload) Round(s drive.Session) Measure {
	if w.Procs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(w.Procs))
	}
	run := w.run
	if run == nil {
		run = flood
	}
	var m Measure
	allocs, bytes := drive.Allocated(func() { m = run(w, s) })
	m.Tasks, m.Allocs, m.Bytes = w.Tasks, allocs, bytes
	if w.Beside > 0 && m.Err == "" {
		m.Beside, m.Err = w.inParts(s)
	}
	return m
}

// timed measures from the first submit to the end of the last of n tasks.
func timed(w Workload, s drive.Session, n int, work func()) Measure {
	took, err := drive.Timed(s, w.Producers, n, work)
	if err != nil {
		return Measure{Err: err.Error()}
	}
	return Measure{Seconds: took.Seconds()}
}

// flood submits all tasks as fast as possible.
func flood(w Workload, s drive.Session) Measure {
	if w.task == nil {
		return timed(w, s, w.Tasks, nil)
	}
	return timed(w, s, w.Tasks, w.task())
}

// bursts submits 100 tasks, waits for them and pauses for a millisecond, again and again. The
// pauses do not count.
func bursts(w Workload, s drive.Session) (sum Measure) {
	const burst = 100
	for range w.Tasks / burst {
		time.Sleep(time.Millisecond)
		m := timed(w, s, burst, nil)
		if m.Err != "" {
			return m
		}
		sum.Seconds += m.Seconds
	}
	return sum
}

// pingPong submits a task when the previous one has started.
func pingPong(w Workload, s drive.Session) Measure {
	l, err := drive.PingPong(s, w.Tasks, 0)
	if err != nil {
		return Measure{Err: err.Error()}
	}
	return Measure{Latencies: &l}
}

// nested submits a tenth of the tasks. Each of them submits a share of the others, as a
// producer of its own.
func nested(w Workload, s drive.Session) Measure {
	var all sync.WaitGroup
	all.Add(w.Tasks)
	begin := time.Now()
	for nest := range w.Tasks / (1 + nestSize) {
		err := s.Submit(2*nest, 1, func() {
			defer all.Done()
			if err := s.Submit(2*nest+1, nestSize, all.Done); err != nil {
				panic(err)
			}
		})
		if err != nil {
			return Measure{Err: err.Error()}
		}
	}
	all.Wait()
	return Measure{Seconds: time.Since(begin).Seconds()}
}

// outstanding submits all tasks before any task can end.
func outstanding(w Workload, s drive.Session) Measure {
	var all sync.WaitGroup
	all.Add(w.Tasks)
	gate := make(chan struct{})
	begin := time.Now()
	err := s.Submit(0, w.Tasks, func() {
		<-gate
		all.Done()
	})
	close(gate)
	if err != nil {
		return Measure{Err: err.Error()}
	}
	all.Wait()
	return Measure{Seconds: time.Since(begin).Seconds()}
}

// inParts does the work in parts of w.Beside tasks, and returns the sum of their times.
func (w Workload) inParts(s drive.Session) (seconds float64, err string) {
	runtime.GC()
	part := w
	for left := w.Tasks; left > 0; left -= part.Tasks {
		part.Tasks = min(w.Beside, left)
		m := w.run(part, s)
		if m.Err != "" {
			return 0, m.Err
		}
		seconds += m.Seconds
	}
	return seconds, ""
}

// sleeping waits, as for a remote call.
func sleeping() func() { return func() { time.Sleep(10 * time.Millisecond) } }

// computing makes tasks that use a processor for a time.
func computing(d time.Duration) func() func() {
	return func() func() {
		n := int(float64(d) / turn())
		return func() { spin(n) }
	}
}

// turn returns how many nanoseconds a turn of spin takes. It takes the least of several
// measurements, as others may include other work of the machine.
var turn = sync.OnceValue(func() float64 {
	const turns = 100_000
	least := time.Hour
	for range 50 {
		begin := time.Now()
		spin(turns)
		least = min(least, time.Since(begin))
	}
	return float64(least) / turns
})

// sink prevents the compiler from removing the work.
var sink [64]uint64

// spin computes something that the compiler cannot predict.
func spin(n int) {
	x := uint64(n) | 1
	for range n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	if x == 0 { // never, since the seed is not 0
		sink[0] = x
	}
}

// Scaling returns a workload on a number of processors, with as many producers and workers.
// Each task computes for a time.
func Scaling(procs, tasks int, d time.Duration) Workload {
	w := Workload{
		Name: fmt.Sprintf("%d processors, %v", procs, d), About: fmt.Sprintf("tasks that compute for %v", d), Services: everybody,
		Workers: procs, Producers: procs, Tasks: tasks, Procs: procs,
	}
	if d > 0 {
		w.task = computing(d)
	}
	return w
}
