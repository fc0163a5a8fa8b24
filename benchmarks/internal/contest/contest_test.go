package contest

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// Ignore the goroutines that one of the peers starts when it is imported.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// small returns a workload that takes little time.
func small(w Workload) Workload {
	w.Tasks, w.Workers, w.Producers = min(w.Tasks, 300), min(w.Workers, 10), min(w.Producers, 60)
	if w.Isolated {
		w.Tasks = min(w.Tasks, 30) // that sleep
	}
	return w
}

// Every contender does its work in each workload that fits it.
func TestEveryContenderDoesItsWork(t *testing.T) {
	bouts := 0
	var closing sync.WaitGroup // some are slow to close
	defer closing.Wait()
	for _, w := range Workloads() {
		for _, c := range All() {
			if !w.Fits(c) {
				continue
			}
			bouts++
			b := &Bout{Contender: c, Workload: small(w)}
			if err := b.Open(); err != nil {
				t.Fatal(err)
			}
			m := b.Round()
			closing.Go(func() {
				if err := b.Close(); err != nil {
					t.Errorf("%s in %q: %v", c.Name, w.Name, err)
				}
			})
			if m.Err != "" || m.Tasks != b.Workload.Tasks || m.Seconds <= 0 && m.Latencies == nil {
				t.Errorf("%s in %q measured %+v", c.Name, w.Name, m)
			}
			if (m.Beside > 0) != (w.Beside > 0) {
				t.Errorf("%s in %q took %v s in parts of %d", c.Name, w.Name, m.Beside, w.Beside)
			}
			if l := m.Latencies; l != nil && !(0 < l.P50 && l.P50 <= l.P99 && l.P99 <= l.P999) {
				t.Errorf("%s in %q has the latencies %+v", c.Name, w.Name, l)
			}
		}
	}
	if bouts < 200 {
		t.Errorf("there are %d bouts, want 200 and more", bouts)
	}
}

// Alone measures the peaks of goroutines and memory.
func TestAloneNotesThePeaks(t *testing.T) {
	for _, c := range All() {
		w := Workload{Name: "sleep", Workers: 50, Producers: 1, Tasks: 500, task: sleeping}
		m, err := (&Bout{Contender: c, Workload: w}).Alone()
		if err != nil || m.Err != "" {
			t.Errorf("%s: %v, %s", c.Name, err, m.Err)
		}
		// In each, 50 tasks sleep at the same time, except where results are awaited.
		if c.Service != Answers && m.PeakGoroutines < 50 {
			t.Errorf("%s: %d goroutines at most", c.Name, m.PeakGoroutines)
		}
		if peak, err := drive.PeakMemory(); err == nil && peak > 0 && m.PeakBytes < 1<<20 {
			t.Errorf("%s: %d bytes at most", c.Name, m.PeakBytes)
		}
	}
}

// The names of contenders and workloads are unique, since the results refer to them.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] {
			t.Errorf("there are two contenders %q", c.Name)
		}
		seen[c.Name] = true
	}
	for _, w := range Workloads() {
		if seen[w.Name] {
			t.Errorf("there are two workloads %q", w.Name)
		}
		seen[w.Name] = true
	}
}

// Computing takes the given time, or longer on a machine with other work.
func TestComputingTakesAsLongAsItSays(t *testing.T) {
	const want = 100 * time.Microsecond
	task, least := computing(want)(), time.Hour
	for range 50 {
		begin := time.Now()
		task()
		least = min(least, time.Since(begin))
	}
	if least < want*8/10 {
		t.Errorf("a task of %v takes %v", want, least)
	}
}
