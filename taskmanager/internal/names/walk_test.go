package names

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// walk is a walk in portions, with what it must find.
type walk struct {
	at   Cursor
	must map[*task]bool // outstanding since its begin
	seen map[*task]bool
}

// walks is a machine with walks that are under way.
type walks struct {
	machine

	open []*walk
}

func (m *walks) Begin(t *rapid.T) {
	if len(m.open) > 5 {
		t.Skip("enough walks")
	}
	w := &walk{must: map[*task]bool{}, seen: map[*task]bool{}}
	for _, x := range m.want {
		w.must[x] = true
	}
	m.open = append(m.open, w)
}

// Continue reads a portion of a walk, of which it takes a part: a page may end within a portion.
func (m *walks) Continue(t *rapid.T) {
	if len(m.open) > 0 {
		w := rapid.SampledFrom(m.open).Draw(t, "walk")
		size := rapid.SampledFrom([]int{1, 2, 30, 256}).Draw(t, "portion")
		m.read(t, w, size, rapid.IntRange(0, size).Draw(t, "taken"))
	}
}

// Finish reads the rest of a walk.
func (m *walks) Finish(t *rapid.T) {
	if len(m.open) > 0 {
		for w := rapid.SampledFrom(m.open).Draw(t, "walk"); !w.at.Done(); {
			m.read(t, w, 256, 256)
		}
	}
}

// read reads a portion and takes some of its tasks. It passes the cursor on as text.
func (m *walks) read(t *rapid.T, w *walk, size, taken int) {
	at, ok := m.table.Parse(m.table.Text(w.at))
	if !ok || at != w.at {
		t.Fatalf("the text of %v is read as %v, %v", w.at, at, ok)
	}
	if at.position > 0 && at.era != m.table.shards[at.shard].era {
		maps.DeleteFunc(w.seen, func(x *task, _ bool) bool { return m.table.keyOf(x.name).shard == at.shard })
	}
	into := make([]Item[task], size)
	n, next := m.table.Read(at, into)
	switch {
	case taken == 0:
		n, next = 0, at
	case taken < n:
		n, next = taken, into[taken-1].Next
	}
	for _, item := range into[:n] {
		if w.seen[item.Task] {
			t.Fatalf("a walk has found the task %q twice", item.Task.name)
		}
		w.seen[item.Task] = true
		delete(w.must, item.Task)
	}
	if w.at = next; w.at.Done() {
		m.open = slices.DeleteFunc(m.open, func(other *walk) bool { return w == other })
		for x := range w.must {
			if m.want[x.name] == x {
				t.Fatalf("a walk has not found the task %q", x.name)
			}
		}
	}
}

// Shrink ends all tasks but a few, so that the lists are compacted.
func (m *walks) Shrink(t *rapid.T) {
	keep := rapid.IntRange(0, 20).Draw(t, "keep")
	for _, name := range m.pool { // in the same order when the test is repeated
		if x := m.want[name]; x != nil && len(m.want) > keep {
			finish(m.table, x)
			delete(m.want, name)
		}
	}
	m.table.sweepBuffers(true)
}

// Jump makes the next compaction number the entries of a shard anew.
func (m *walks) Jump(t *rapid.T) {
	s := &m.table.shards[rapid.IntRange(0, 1).Draw(t, "shard")]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = max(s.next, renumberAt)
}

func (m *walks) Check(t *rapid.T) {
	m.machine.Check(t)
	for i := range m.table.shards[:2] {
		s := &m.table.shards[i]
		s.mu.Lock()
		for j := range s.entries {
			if p := s.entries[j].position; p >= s.next || j > 0 && p <= s.entries[j-1].position {
				t.Fatalf("shard %d: position %d at %d", i, p, j)
			}
		}
		s.mu.Unlock()
	}
}

// TestWalksFindEachTaskOnce: walks in portions, while tasks are added and removed and the lists
// grow and shrink between the portions, find no task twice, and all that are outstanding
// throughout. A shard that was numbered anew is walked over again.
func TestWalksFindEachTaskOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable()
		m := &walks{machine: machine{table: table, pool: crowd(table, 600), want: map[string]*task{}}}
		t.Repeat(map[string]func(*rapid.T){
			"": m.Check, "Add": m.Add, "End": m.End, "Remove": m.Remove, "Shrink": m.Shrink, "Jump": m.Jump,
			"Begin": m.Begin, "Continue": m.Continue, "Continue2": m.Continue, "Finish": m.Finish,
		})
	})
}

// TestWalkAfterCompaction: a walk continues where it was when the list becomes shorter. If that
// numbers the entries anew, it walks over the shard again.
func TestWalkAfterCompaction(t *testing.T) {
	const n, kept = 4 * minTags, 10
	for renumber, want := range map[bool]int{false: kept / 2, true: kept} {
		table := newTable()
		var tasks []*task
		for _, name := range crowd(table, 5*n) {
			if x := (&task{name: name}); table.keyOf(name).shard == 0 && len(tasks) < n {
				mustAdd(t, table, x)
				tasks = append(tasks, x)
			}
		}
		var into [n]Item[task]
		_, at := table.Read(Cursor{}, into[:n-kept/2])
		if renumber {
			table.shards[0].next = renumberAt
		}
		for _, x := range tasks[:n-kept] {
			x.end()
			table.release(x.place)
		}
		table.shrink(0)
		got, end := table.Read(at, into[:])
		if got != want || end != (Cursor{shard: 1}) {
			t.Errorf("numbered anew: %v: the walk found %d tasks and is at %v, want %d, and to be at the next shard", renumber, got, end, want)
		}
		mustAdd(t, table, tasks[0])
		if s := &table.shards[0]; s.entries[kept].position != s.next-1 || renumber != (s.next == kept+1) {
			t.Errorf("numbered anew: %v: the next position is %d", renumber, s.entries[kept].position)
		}
	}
}

// TestReadLooksAtFewEntries: a call of Read looks at no more entries than it has room for tasks, in
// use or free, so that it holds the lock for a short time.
func TestReadLooksAtFewEntries(t *testing.T) {
	const room = 10
	table := newTable()
	var tasks []*task
	for i := range 20_000 {
		x := &task{name: strconv.Itoa(i)}
		mustAdd(t, table, x)
		tasks = append(tasks, x)
	}
	for i, x := range tasks {
		if i%16 > 0 {
			x.end()
			table.release(x.place)
		}
	}
	want := 0
	for i := range table.shards {
		want += (len(table.shards[i].entries) + room - 1) / room
	}
	var into [room]Item[task]
	calls, found := 0, 0
	for at := (Cursor{}); !at.Done(); calls++ {
		n, next := table.Read(at, into[:])
		found, at = found+n, next
	}
	if calls != want || found != len(tasks)/16 {
		t.Errorf("%d tasks were found in %d portions, want %d in %d", found, calls, len(tasks)/16, want)
	}
}

// TestCursorsOfOtherTables: a text that Text of the table has not returned is no cursor.
func TestCursorsOfOtherTables(t *testing.T) {
	one, other := newTable(), newTable()
	good := one.Text(Cursor{shard: 3, position: 17})
	if c, ok := one.Parse(good); !ok || c != (Cursor{shard: 3, position: 17}) {
		t.Errorf("Parse returned %v, %v", c, ok)
	}
	for what, text := range map[string]string{
		"of another table": other.Text(Cursor{shard: 3, position: 17}),
		"empty":            "",
		"too short":        good[1:],
		"too long":         good + "A",
		"altered":          strings.Map(func(r rune) rune { return r ^ 1 }, good[:1]) + good[1:],
		"a line break":     good[:4] + "\n" + good[5:],
		"other characters": strings.Repeat("?", len(good)),
		"very long":        strings.Repeat("A", 1<<20),
	} {
		if c, ok := one.Parse(text); ok {
			t.Errorf("%s: Parse returned %v", what, c)
		}
	}
}
