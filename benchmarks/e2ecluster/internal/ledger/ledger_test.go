package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// account makes lines of words: process, event, id and attempt. The name is what precedes the dot in the id. Line n
// has the time n.
func account(text ...string) []ledger.Line {
	var lines []ledger.Line
	for i, s := range text {
		w := append(strings.Fields(s), "", "", "")
		l := ledger.Line{At: int64(i + 1), Process: w[0], Event: ledger.Event(w[1]), ID: w[2]}
		l.Name, _, _ = strings.Cut(w[2], ".")
		if w[3] != "" && w[3] != "true" && w[3] != "false" && w[3] != "stubborn" {
			_, _ = fmt.Sscan(w[3], &l.Attempt)
			w = w[1:]
		}
		l.Text = w[3]
		lines = append(lines, l)
	}
	return lines
}

func TestLinesOfSeveralWritersAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	r := ledger.Follow(path)
	if lines, err := r.Lines(); err != nil || len(lines) != 0 {
		t.Fatal(lines, err)
	}
	var writers sync.WaitGroup
	for i := range 4 {
		w, err := ledger.Open(path, fmt.Sprint("p", i))
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			defer func() { _ = w.Close() }()
			for n := range 50 {
				w.Write(ledger.Line{Event: ledger.Start, Name: "n\n", Attempt: n})
			}
		})
	}
	writers.Wait()
	part, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = part.Close() }()
	for _, half := range []string{`{"process":"p4",`, "\"event\":\"end\"}\n"} {
		lines, err := r.Lines()
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != 200 {
			t.Errorf("%d lines, want 200", len(lines))
		}
		if _, err := part.WriteString(half); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := r.Lines()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ledger.Line{Process: "p4", Event: ledger.End}, lines[len(lines)-1]); diff != "" {
		t.Errorf("the line that came in two parts (-want +got):\n%s", diff)
	}
}

func TestRunsEndWithTheirProcess(t *testing.T) {
	got := ledger.Runs(account("w1 start a.1 1", "w1 start b.1 1", "w2 start c.1 1", "w1 failed b.1 1", "w1 start b.1 2",
		"w1 kill", "w2 end c.1 1", "w3 start a.1 2"))
	want := []ledger.Run{
		{Name: "a", ID: "a.1", Process: "w1", Attempt: 1, From: 1, To: 6, How: ledger.Kill},
		{Name: "b", ID: "b.1", Process: "w1", Attempt: 1, From: 2, To: 4, How: ledger.Failed},
		{Name: "c", ID: "c.1", Process: "w2", Attempt: 1, From: 3, To: 7, How: ledger.End},
		{Name: "b", ID: "b.1", Process: "w1", Attempt: 2, From: 5, To: 6, How: ledger.Kill},
		{Name: "a", ID: "a.1", Process: "w3", Attempt: 2, From: 8, To: ledger.Forever},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUndisturbed(t *testing.T) {
	lines := account("w1 start a.1 1", "w1 end a.1 1", "w1 start b.1 1", "w2 freeze", "w1 end b.1 1", "w2 start c.1 1", "w2 freeze", "w2 end c.1 1",
		"w1 start d.1 1", "w2 kill", "server1 kill", "w1 end d.1 1", "w1 start e.1 1")
	var got []string
	for _, r := range ledger.Undisturbed(ledger.Runs(lines), lines) {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "e"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCounted(t *testing.T) {
	var got []string
	for _, r := range ledger.Counted(ledger.Runs(account("w1 start a.1 1", "w1 cut", "w1 end a.1 1", "w2 start a.1 2", "w1 mend", "w2 end a.1 2",
		"w1 start b.1 1", "w1 kill", "w2 start b.1 2", "w2 end b.1 2", "w2 start c.1 1"))) {
		got = append(got, fmt.Sprint(r.Process, " ", r.Name))
	}
	if diff := cmp.Diff([]string{"w1 a", "w1 b", "w2 b", "w2 c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Peak equals the largest number of runs that contain a moment.
func TestPeakIsTheMaximumOverAllMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) ledger.Run {
			from := rapid.Int64Range(1, 20).Draw(t, "from")
			return ledger.Run{From: from, To: from + rapid.Int64Range(1, 9).Draw(t, "for")}
		})).Draw(t, "runs")
		want := 0
		for at := range int64(30) {
			want = max(want, len(ledger.Select(runs, func(r ledger.Run) bool { return r.From <= at && at < r.To })))
		}
		if got := ledger.Peak(runs); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	})
}

func TestBalance(t *testing.T) {
	submitted := []string{"s try a.1", "s accepted a.1"}
	for _, test := range []struct {
		name  string
		lines []string
		dead  []ledger.Dead
		want  []string // parts of the faults
	}{
		{name: "ended", lines: append(submitted, "w1 start a.1 1", "w1 end a.1 1")},
		{name: "lost", lines: append(submitted, "w1 start a.1 1", "w1 failed a.1 1"), want: []string{"lost after 1"}},
		{name: "unknown may be lost", lines: []string{"s try a.1", "s unknown a.1"}},
		{name: "dead", lines: submitted, dead: []ledger.Dead{{Name: "a", ID: "a.1", At: 3}}},
		{name: "dead twice", lines: submitted, dead: []ledger.Dead{{Name: "a", ID: "a.1", At: 3}, {Name: "a", ID: "a.1", At: 4}}, want: []string{"2 dead letters"}},
		{name: "cancelled", lines: append(submitted, "s asked a.x", "s answered a.x true")},
		{name: "cancelled, the answer unheard", lines: append(submitted, "s asked a.x")},
		{name: "cancelled twice at once", lines: append(submitted, "s asked a.x", "s asked a.y", "s answered a.y false", "s answered a.x true")},
		{name: "the frozen one ended late", lines: append(submitted, "w1 start a.1 1", "w1 freeze", "w2 start a.1 2", "w2 end a.1 2", "s try a.2", "s accepted a.2",
			"w3 start a.2 1", "w3 end a.2 1", "w1 thaw", "w1 end a.1 1")},
		{name: "not cancelled", lines: append(submitted, "s asked a.x", "s answered a.x false"), want: []string{"lost after 0"}},
		{name: "cancelled before", lines: append([]string{"s asked a.x", "s answered a.x true"}, submitted...), want: []string{"lost"}},
		{name: "the next one was cancelled", lines: append(submitted, "s try a.2", "s accepted a.2", "s asked a.x", "s answered a.x true"),
			want: []string{"a.1: accepted, and lost", "a.2: accepted while a.1"}},
		{name: "never submitted", lines: []string{"w1 start a.1 1", "w1 end a.1 1"}, want: []string{"nobody submitted"}},
		{name: "of a schedule", lines: []string{"w1 start cron/a.1 1", "w1 end cron/a.1 1"}},
		{name: "refused, but ran", lines: append(submitted, "s try a.2", "s refused a.2", "w1 start a.2 1", "w1 end a.2 1", "w1 start a.1 1", "w1 end a.1 1"),
			want: []string{"its submit was refused"}},
		{name: "refused after an answer was lost", lines: []string{"s try a.1", "s try a.2", "server1 kill", "s refused a.1", "s accepted a.2", "w1 start a.1 1",
			"w1 end a.1 1", "w1 start a.2 1", "w1 end a.2 1"}},
		{name: "cancelled, after one that was tried later and ended before", lines: []string{"s try a.1", "s try a.2", "s accepted a.2", "w1 start a.2 1", "w1 end a.2 1",
			"s accepted a.1", "s asked a.x", "s answered a.x true"}},
		{name: "overlap of a task whose end came late", lines: append(submitted, "w1 start a.1 1", "w1 cut", "w1 end a.1 1", "w2 start a.1 2", "w1 mend", "s try a.2", "s accepted a.2",
			"w1 start a.2 1", "w2 end a.1 2", "w1 end a.2 1")},
		{name: "rejected with its batch", lines: []string{"s try a.1", "s rejected a.1"}},
		{name: "rejected, but ran", lines: []string{"s try a.1", "s rejected a.1", "w1 start a.1 1", "w1 end a.1 1"}, want: []string{"its submit was refused"}},
		{name: "refused for no reason", lines: []string{"s try a.1", "s refused a.1"}, want: []string{"no other task"}},
		{name: "one after the other", lines: append(submitted, "w1 start a.1 1", "w1 end a.1 1", "s try a.2", "s accepted a.2", "w1 start a.2 1", "w1 end a.2 1")},
		{name: "two of one name", lines: append(submitted, "s try a.2", "s accepted a.2", "w1 start a.1 1", "w1 end a.1 1", "w1 start a.2 1", "w1 end a.2 1"),
			want: []string{"a.2: accepted while a.1"}},
		{name: "overlap", lines: append(submitted, "w1 start a.1 1", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2"), want: []string{"overlap"}},
		{name: "overlap of a frozen process", lines: append(submitted, "w1 start a.1 1", "w1 freeze", "w2 start a.1 2", "w1 thaw", "w1 end a.1 1", "w2 end a.1 2")},
		{name: "overlap of a process that froze a moment later", lines: append(submitted, "w1 freeze", "w1 start a.1 1", "w2 start a.1 2", "w1 thaw", "w1 end a.1 1", "w2 end a.1 2")},
		{name: "overlap after a thaw", lines: append(submitted, "w1 freeze", "w1 thaw", "w1 start a.1 1", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2"), want: []string{"overlap"}},
		{name: "overlap after another was frozen", lines: append(submitted, "w1 start a.1 1", "w3 freeze", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2"), want: []string{"overlap"}},
		{name: "overlap after a server was killed", lines: append(submitted, "w1 start a.1 1", "server1 kill", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2")},
		{name: "overlap of the second execution after a server was killed", lines: append(submitted, "w1 start a.1 1", "server1 kill", "w2 start a.1 2", "w1 end a.1 1",
			"s try a.2", "s accepted a.2", "w1 start a.2 1", "w2 end a.1 2", "w1 end a.2 1")},
		{name: "overlap after a server was killed before the starts", lines: append(submitted, "server1 kill", "w2 start a.1 1", "w1 start a.1 1", "w1 end a.1 1", "w2 end a.1 1")},
		{name: "overlap of a task that was submitted while a disk was full", lines: append([]string{"server1 full"}, append(submitted, "w1 start a.1 1", "w2 start a.1 2", "w1 end a.1 1",
			"w2 end a.1 2", "server1 room")...)},
		{name: "overlap before the disk has room", lines: append(submitted, "w1 start a.1 1", "server1 full", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2")},
		{name: "overlap after the disk has room", lines: append([]string{"server1 full", "server1 room"}, append(submitted, "w1 start a.1 1", "w2 start a.1 2", "w1 end a.1 1",
			"w2 end a.1 2")...), want: []string{"overlap"}},
		{name: "overlap of a handler that ignores its context", lines: append(submitted, "w1 start a.1 1 stubborn", "w2 start a.1 2", "w1 end a.1 1", "w2 end a.1 2")},
		{name: "after a kill", lines: append(submitted, "w1 start a.1 1", "w1 kill", "w2 start a.1 2", "w2 end a.1 2")},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ledger.Balance(account(test.lines...), test.dead)
			if diff := cmp.Diff(len(test.want), len(got)); diff != "" {
				t.Fatalf("faults (-want +got):\n%s\n%v", diff, got)
			}
			for i, part := range test.want {
				if !strings.Contains(got[i].Text, part) {
					t.Errorf("fault %d: %q does not contain %q", i, got[i].Text, part)
				}
			}
		})
	}
}
