package record_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestClose checks that events after Close, also of tasks that ran before, do nothing, and that
// further calls return the same.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, rows := open(t, record.Config{Buffer: 2})
		log := new(bytes.Buffer)
		m := start(t, taskmanager.WithObserver(rec), taskmanager.WithLogger(logging.Slog(slog.New(slog.NewTextHandler(log, nil)))))
		submit(t, m, takes(s, nil), taskmanager.WithKey("before"))
		between := submit(t, m, takes(s, errFailed), taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(9*s))))
		running := submit(t, m, takes(9*s, nil))
		<-running.Started()
		synctest.Wait()
		check.Equal(t, "rows", rows(), []string{"0,1,k,before,,1,,,0,success"})
		check.Is(t, "the failing task", between.Wait(t.Context()), errFailed)
		check.Is(t, "the running task", running.Wait(t.Context()), nil)
		runAll(t, m, 0, 5)
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		if strings.Contains(log.String(), "panic") {
			t.Errorf("the log is %s", log)
		}
		check.Equal(t, "rows in the end", rows(), []string{"0,1,k,before,,1,,,0,success"})
		check.Equal(t, "dropped", rec.Dropped(), 0)
	})
}

// TestConcurrentClose closes a recorder from several goroutines while many workers end tasks, which
// fail and restart. Each task that ended before has a row, whatever the scheduling.
func TestConcurrentClose(t *testing.T) {
	const workers, before, after = 16, 2000, 2000
	disk := new(memory)
	rec := newOn(t, disk, record.Config{MaxBytes: 4096, Buffer: before + after})
	m := start(t, taskmanager.WithObserver(rec), taskmanager.WithWorkers(workers, workers), taskmanager.WithRestartPlain(),
		taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(0))))
	var tasks []*taskmanager.Handle
	add := func(n int) {
		for i := range n {
			h, err := m.SubmitFunc(t.Context(), fmt.Sprint(len(tasks)), func(context.Context) error {
				if i%3 == 0 {
					return errFailed
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			tasks = append(tasks, h)
		}
	}
	add(before)
	for _, h := range tasks {
		_ = h.Wait(t.Context())
	}
	var closing sync.WaitGroup
	for range 4 {
		closing.Go(func() {
			check.Is(t, "Close", rec.Close(), nil)
			rows, dropped := parseAll(t, disk.texts(t)) // all files are closed
			if n := len(rows); n < before || n > before+after || dropped > 0 {
				t.Errorf("%d rows, and %d are said to be dropped", n, dropped)
			}
		})
	}
	add(after)
	closing.Wait()
	check.Is(t, "Drain", m.Drain(t.Context()), nil)
	check.Equal(t, "dropped", rec.Dropped(), 0)
}

// heap returns the size of what is reachable.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one put aside
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryOfEndedTasks checks that nothing remains of tasks that have waited to run again, and have
// ended.
func TestMemoryOfEndedTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks = 100_000
		rec := newOn(t, &memory{write: func([]byte) (int, error) { return 0, nil }}, record.Config{Buffer: 1})
		m := start(t, taskmanager.WithObserver(rec))
		for range tasks {
			submit(t, m, func(context.Context) error { return taskmanager.NotYet(time.Hour) })
		}
		time.Sleep(time.Minute)
		for h := range m.Tasks() {
			h.Cancel()
		}
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		before := heap()
		check.Is(t, "Close", rec.Close(), nil)
		if freed := before - heap(); freed > 1<<20 {
			t.Errorf("the recorder kept %d bytes", freed)
		}
		runtime.KeepAlive(rec)
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
	})
}

// TestMemoryOfLongTexts checks that rows that wait for the disk do not keep long texts.
func TestMemoryOfLongTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newGate()
		disk := new(memory)
		rec := newOn(t, disk, record.Config{})
		disk.write = func([]byte) (int, error) { hangs.pass(); return 0, nil }
		m := start(t, taskmanager.WithObserver(rec))
		hangs.close()
		before := heap()
		const tasks, long = 50, 1 << 20
		for range tasks {
			h := submit(t, m, takes(0, nil), taskmanager.WithKey(strings.Repeat("x", long)), taskmanager.WithKind(strings.Repeat("y", long)))
			check.Is(t, "Wait", h.Wait(t.Context()), nil)
		}
		time.Sleep(time.Minute) // the manager lets go of tasks after a while
		if kept := heap() - before; kept > 10*long {
			t.Errorf("%d rows keep %d bytes", tasks, kept)
		}
		check.Equal(t, "dropped", rec.Dropped(), 0)
		hangs.open()
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
	})
}

// TestStress runs tasks on many workers, with a buffer that is often full, and checks the ledger.
func TestStress(t *testing.T) {
	const submitters, each = 8, 3000
	disk := new(memory)
	rec := newOn(t, disk, record.Config{MaxBytes: 10_000, Buffer: 50})
	m := start(t, taskmanager.WithObserver(rec), taskmanager.WithWorkers(1, 16), taskmanager.WithLimit(100, taskmanager.DropOldest),
		taskmanager.WithRestartPlain(), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(0))))
	var all sync.WaitGroup
	for n := range submitters {
		all.Go(func() {
			for i := range each {
				_, err := m.SubmitFunc(t.Context(), fmt.Sprintf("%d/%d", n, i), func(context.Context) error {
					if i%7 == 0 {
						return errFailed
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	check.Is(t, "Drain", m.Drain(t.Context()), nil)
	check.Is(t, "Close", rec.Close(), nil)
	rows, told := parseAll(t, disk.texts(t))
	check.Equal(t, "rows and dropped ones", int64(len(rows))+rec.Dropped(), submitters*each)
	check.Equal(t, "dropped rows in the trace", int64(told), rec.Dropped())
	counts := make(map[string]uint64)
	for _, r := range rows {
		counts[r.Outcome]++
		sound := map[string]bool{"success": r.Fails == 0, "failure": r.Fails == 3, "dropped": r.NeverRan == (r.Fails == 0)}
		if !sound[r.Outcome] {
			t.Fatalf("the row of a task is %+v", r)
		}
	}
	c := m.Counts()
	if counts["success"] > c.Succeeded || counts["failure"] > c.Failed || counts["dropped"] > c.Dropped || len(counts) > 3 {
		t.Errorf("outcomes %v, of %+v", counts, c)
	}
}

// TestHostileTexts checks that no text breaks a row, and that long texts are truncated before they
// are kept.
func TestHostileTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		texts := []string{
			"a,b", `say "x"`, `"`, "#", "# dropped 5", "", " ", " a ", "a\nb", "a\r\nb", "\r", "\x00", "\xff\xfe", "\xf0\x9f",
			"<script>", "=1+1", "\u2028", "\u0085", "\ufeff", "é", "\t", `\`, strings.Repeat("x", 1<<20), strings.Repeat("é", 200),
			strings.Repeat(`"`, 256), strings.Repeat("\x01", 300), strings.Repeat("\xff", 1<<20),
		}
		disk := new(memory)
		rec := newOn(t, disk, record.Config{MaxBytes: 4096})
		m := start(t, taskmanager.WithObserver(rec))
		for _, text := range texts {
			opts := []taskmanager.TaskOption{taskmanager.WithKey(text)}
			if text != "" {
				opts = append(opts, taskmanager.WithKind(text))
			}
			h := submit(t, m, takes(s, nil), opts...)
			check.Is(t, "Wait", h.Wait(t.Context()), nil)
		}
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
		rows, told := parseAll(t, disk.texts(t))
		check.Equal(t, "rows", len(rows), len(texts))
		check.Equal(t, "dropped", told, 0)
		for i, text := range texts {
			key := rows[i].Key
			plain := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u0085' || r == utf8.RuneError }) < 0
			switch {
			case plain && len(text) <= 256:
				check.Equal(t, "key", key, text)
			case !utf8.ValidString(key) || strings.ContainsAny(key, "\n\r\u2028") || len(key) > 4*256:
				t.Errorf("the key of %.20q is %q", text, key)
			}
			if text != "" {
				check.Equal(t, "kind", rows[i].Kind, key)
			}
		}
	})
}
