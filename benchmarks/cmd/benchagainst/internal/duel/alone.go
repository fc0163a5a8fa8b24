package duel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// queuedBytes opens a session, submits tasks of which none ends, and returns the memory of a
// task. Nearly all of them are queued.
func queuedBytes(l *lane, tasks int) (bytes float64, err error) {
	session, err := l.open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	gate := make(chan struct{})
	var all sync.WaitGroup
	all.Add(tasks)
	before := heap()
	err = session.Submit(0, tasks, func() { <-gate; all.Done() })
	after := heap()
	close(gate)
	if err != nil {
		return 0, err
	}
	all.Wait()
	return (float64(after) - float64(before)) / float64(tasks), nil
}

// heap returns the bytes of reachable objects.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// aloneArgument is the first argument of a process that measures one side once, for the peak of
// its memory. The others are the side, the way and the number of tasks.
const aloneArgument = "alone"

// peaks is what such a process measures.
type peaks struct{ Seconds, Bytes float64 }

// sleepers is the number of workers whose tasks sleep.
const sleepers = 50_000

// sleep runs tasks that sleep for 10 ms, in a process of its own for each side.
func sleep(way string, tasks int) workload {
	name := fmt.Sprintf("sleep, %s, %d tasks", way, tasks)
	return workload{name, func(c Config, _, _ Side) ([]Figure, error) {
		var a, b lane
		for round := range c.quick(2, 6) {
			sides := []string{"old", "new"}
			if round%2 == 1 {
				sides = []string{"new", "old"}
			}
			for _, side := range sides {
				p, err := measureAlone(side, way, tasks)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", side, err)
				}
				l := map[string]*lane{"old": &a, "new": &b}[side]
				l.add([]float64{p.Seconds * 1e3, p.Bytes / (1 << 20)})
			}
		}
		return figures(&a, &b, "time of all, ms", "peak memory, MiB"), nil
	}}
}

// measureAlone starts a process that measures one side.
func measureAlone(side, way string, tasks int) (p peaks, err error) {
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	command := exec.Command(self, aloneArgument, side, way, strconv.Itoa(tasks))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(out, &p)
}

// alone measures one side and writes the peaks.
func alone(args []string, older, newer Side, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("%s needs a side, a way and a number of tasks, not %q", aloneArgument, args)
	}
	side, ok := map[string]Side{"old": older, "new": newer}[args[0]]
	tasks, err := strconv.Atoi(args[2])
	if !ok || err != nil {
		return fmt.Errorf("%s needs a side, a way and a number of tasks, not %q", aloneArgument, args)
	}
	s, err := side.Open(args[1], sleepers, 1, tasks)
	if err != nil {
		return err
	}
	took, err := drive.Timed(s, 1, tasks, func() { time.Sleep(10 * time.Millisecond) })
	if err != nil {
		return err
	}
	peak, err := drive.PeakMemory()
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(peaks{took.Seconds(), float64(peak)})
}
