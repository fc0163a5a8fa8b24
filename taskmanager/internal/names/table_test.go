package names

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// task is a task as the table sees it.
type task struct {
	name   string
	worker int32 // that removes it
	place  Place // guarded by mu until the task is over; then it stays

	mu   sync.Mutex
	over bool
}

func (t *task) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// end ends the task, without its removal.
func (t *task) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// move tells the task its new place, unless it has ended.
func (t *task) move(to Place) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.place = to
	}
	return !t.over
}

// placed says whether the task has a place. A sweep in the background may move a task as soon as
// it is in the table.
func (t *task) placed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.place != 0
}

func newTable() *Table[task] {
	return New(Functions[task]{Name: func(t *task) string { return t.name }, Ended: (*task).ended, Moved: (*task).move})
}

// finish ends a task and removes it.
func finish(table *Table[task], t *task) {
	t.end()
	table.Remove(t.place, t.worker)
}

// crowd returns names that all fall into the first two shards, so that a few hundred of them
// make those grow and shrink.
func crowd(table *Table[task], count int) []string {
	var crowd []string
	for i := 0; len(crowd) < count; i++ {
		if name := strconv.Itoa(i); maphash.String(table.seed, name)%shardCount < 2 {
			crowd = append(crowd, name)
		}
	}
	return crowd
}

// machine drives a table and a map through the same calls.
type machine struct {
	table  *Table[task]
	pool   []string
	want   map[string]*task // outstanding
	ended  []*task          // and not removed yet
	closed bool
}

// several draws some neighbours of the pool, often one.
func (m *machine) several(t *rapid.T) []string {
	first := rapid.IntRange(0, len(m.pool)-1).Draw(t, "first")
	count := rapid.SampledFrom([]int{1, 1, 1, 1, 500}).Draw(t, "count")
	names := append(slices.Clone(m.pool[first:]), m.pool[:first]...)
	return names[:count]
}

func (m *machine) Add(t *rapid.T) {
	worker := rapid.Int32Range(0, 3).Draw(t, "worker")
	for i, name := range m.several(t) {
		x := &task{name: name, worker: (worker + int32(i)) % 4}
		err := m.table.Add(name, x, &x.place)
		_, taken := m.want[name]
		var want error
		switch {
		case m.closed:
			want = ErrClosed
		case taken:
			want = ErrTaken
		default:
			m.want[name] = x
		}
		if !errors.Is(err, want) {
			t.Fatalf("Add(%q) returned %v, want %v", name, err, want)
		}
		if placed := x.placed(); placed != (want == nil) {
			t.Fatalf("Add(%q) returned %v and set the place: %v", name, err, placed)
		}
	}
}

// End ends tasks; their removal comes later.
func (m *machine) End(t *rapid.T) {
	for _, name := range m.several(t) {
		if x := m.want[name]; x != nil {
			x.end()
			delete(m.want, name)
			m.ended = append(m.ended, x)
		}
	}
}

// Succeed ends tasks and passes their names to others, unless the table is closed.
func (m *machine) Succeed(t *rapid.T) {
	for _, name := range m.several(t) {
		old, added := m.want[name], m.table.Added()
		var next *task
		err := m.table.Join(name, func(holder *task) bool {
			if holder != old {
				t.Fatalf("the task of %q is %p, want %p", name, holder, old)
			}
			next = &task{name: name}
			return true
		})
		if (next != nil) != (old != nil && !m.closed) || errors.Is(err, ErrClosed) != m.closed || err != nil && !m.closed {
			t.Fatalf("Join(%q) returned %v, and has asked %v, with a task: %v", name, err, next != nil, old != nil)
		}
		if next == nil {
			continue
		}
		if n := m.table.Added() - added; n != 1 {
			t.Fatalf("Join has added %d tasks", n)
		}
		m.table.Succeed(name, func() (*task, Place) {
			old.end()
			next.place = old.place
			return next, next.place
		})
		m.want[name] = next
	}
}

func (m *machine) Remove(t *rapid.T) {
	ended := rapid.Permutation(m.ended).Draw(t, "order")
	n := rapid.IntRange(0, len(ended)).Draw(t, "count")
	for _, x := range ended[:n] {
		m.table.Remove(x.place, x.worker)
	}
	m.ended = ended[n:]
}

// Close is rare: nothing can be added afterwards.
func (m *machine) Close(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rare") == 9 {
		m.table.Close()
		m.closed = true
	}
}

func (m *machine) Break(t *rapid.T) {
	limit := rapid.IntRange(0, len(m.want)).Draw(t, "limit")
	got := 0
	for range m.table.All() {
		if got++; got > limit {
			break
		}
	}
	if want := min(limit+1, len(m.want)); got != want {
		t.Fatalf("All ran its body %d times, want %d", got, want)
	}
}

// Check compares all that can be asked.
func (m *machine) Check(t *rapid.T) {
	got := map[string]*task{}
	for x := range m.table.All() {
		if got[x.name] != nil {
			t.Fatalf("All lists two tasks named %q", x.name)
		}
		got[x.name] = x
	}
	if !maps.Equal(got, m.want) {
		listed, want := slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(m.want))
		t.Fatalf("All is wrong (-want +got, or other tasks if equal):\n%s",
			cmp.Diff(want, listed, cmpopts.SortSlices(func(a, b string) bool { return a < b })))
	}
	if got := m.table.Empty(); got != (len(m.want) == 0) {
		t.Fatalf("Empty returned %v with %d tasks", got, len(m.want))
	}
	if got := m.table.Some(); got == nil && len(m.want) > 0 || got != nil && m.want[got.name] != got {
		t.Fatalf("Some returned %v with %d tasks", got, len(m.want))
	}
	if got := m.table.Closed(); got != m.closed {
		t.Fatalf("Closed returned %v, want %v", got, m.closed)
	}
	name := rapid.SampledFrom(m.pool).Draw(t, "lookup")
	if got := m.table.Lookup(name); got != m.want[name] {
		t.Fatalf("Lookup(%q) returned %p, want %p", name, got, m.want[name])
	}
	entries := 0
	for i := range m.table.shards {
		s := &m.table.shards[i]
		s.mu.Lock()
		entries += s.n
		tagged := 0
		for _, tag := range s.tags {
			if tag != noTag {
				tagged++
			}
		}
		counted := s.tagged
		s.mu.Unlock()
		if tagged != counted {
			t.Fatalf("shard %d counts %d tags, and has %d", i, counted, tagged)
		}
	}
	if entries < len(m.want) || entries > len(m.pool) {
		t.Fatalf("%d entries for %d tasks of %d names", entries, len(m.want), len(m.pool))
	}
}

func TestTableEqualsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable()
		m := &machine{table: table, pool: crowd(table, 600), want: map[string]*task{}}
		t.Repeat(map[string]func(*rapid.T){
			"": m.Check, "Add": m.Add, "End": m.End, "Succeed": m.Succeed, "Remove": m.Remove, "Close": m.Close, "Break": m.Break,
		})
	})
}

// TestListingAfterCloseIsComplete: what All lists after Close is all that has been added,
// while other goroutines continue to add.
func TestListingAfterCloseIsComplete(t *testing.T) {
	const adders, before = 4, 1000
	table := newTable()
	var added atomic.Int64
	var adding sync.WaitGroup
	enough := make(chan struct{})
	for g := range adders {
		adding.Go(func() {
			for i := 0; ; i++ {
				x := &task{name: fmt.Sprint(g, "/", i)}
				switch err := table.Add(x.name, x, &x.place); {
				case errors.Is(err, ErrClosed):
					return
				case err != nil:
					t.Errorf("Add(%q) returned %v, want nil or %v", x.name, err, ErrClosed)
				case added.Add(1) == before:
					close(enough)
				}
			}
		})
	}
	<-enough
	table.Close()
	listed := int64(len(slices.Collect(table.All())))
	if !table.Closed() {
		t.Error("Closed returned false after Close")
	}
	adding.Wait()
	if listed != added.Load() {
		t.Errorf("All lists %d tasks after Close, want %d", listed, added.Load())
	}
}

// TestClosedNeedsAllShards: a table is not closed while Close is under way.
func TestClosedNeedsAllShards(t *testing.T) {
	table := newTable()
	isClosed := func(s *shard[task]) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.closed
	}
	table.shards[1].mu.Lock()
	var closing sync.WaitGroup
	closing.Go(table.Close)
	for !isClosed(&table.shards[0]) {
		runtime.Gosched()
	}
	if table.Closed() {
		t.Error("Closed returned true before Close has closed all shards")
	}
	table.shards[1].mu.Unlock()
	closing.Wait()
	if !table.Closed() {
		t.Error("Closed returned false after Close")
	}
}

// TestEqualHashes: names with equal hashes, which are too rare to be found, are distinguished.
func TestEqualHashes(t *testing.T) {
	table := newTable()
	x := &task{name: "x"}
	mustAdd(t, table, x)
	k := table.keyOf("x")
	other := k
	other.tag ^= 1
	for _, c := range []struct {
		key   key
		name  string
		ended bool
		want  *task
		stale int
	}{
		{k, "x", false, x, -1},
		{k, "y", false, nil, -1},
		{k, "y", true, nil, 0},
		{other, "y", true, nil, -1}, // the tag would not be in the probe sequence of y
	} {
		if c.ended {
			x.end()
		}
		if got, stale := table.findLocked(&table.shards[k.shard], c.key, c.name); got != c.want || stale != c.stale {
			t.Errorf("findLocked(%v, %q) returned %p and %d, want %p and %d", c.key, c.name, got, stale, c.want, c.stale)
		}
	}
}

// size returns the sizes of the index and the list.
func size(table *Table[task]) (tags, entries int) {
	for i := range table.shards {
		s := &table.shards[i]
		s.mu.Lock()
		tags += len(s.tags)
		entries += cap(s.entries)
		s.mu.Unlock()
	}
	return tags, entries
}

// TestMemory fills the table and empties it.
func TestMemory(t *testing.T) {
	const least, most, factor = 20_000, 120_000, 1.3
	table := newTable()
	var tasks []*task
	for n := float64(least); n < most; n *= factor {
		for len(tasks) < int(n) {
			x := &task{name: strconv.Itoa(len(tasks))}
			tasks = append(tasks, x)
			mustAdd(t, table, x)
		}
		tags, entries := size(table)
		used := 2*tags + entries*int(unsafe.Sizeof(entry[task]{}))
		t.Logf("%d names: %.1f bytes each", len(tasks), float64(used)/float64(len(tasks)))
		if used > 51*len(tasks) {
			t.Errorf("%d names take %.1f bytes each, want at most 51", len(tasks), float64(used)/float64(len(tasks)))
		}
		if tags < len(tasks) || tags > 4*len(tasks) || entries > 2*len(tasks) {
			t.Errorf("%d tags and %d entries for %d names, want one to four and at most two for each", tags, entries, len(tasks))
		}
	}
	for _, x := range tasks {
		finish(table, x)
	}
	table.sweepBuffers(true)
	if tags, entries := size(table); tags != shardCount*minTags || entries > shardCount*minTags {
		t.Errorf("%d tags and %d entries left for no names, want %d", tags, entries, shardCount*minTags)
	}
}

// TestNothingSharesCacheLines of what submitters and workers write: each part has pairs of
// lines of its own.
func TestNothingSharesCacheLines(t *testing.T) {
	if unsafe.Sizeof(0) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	var table Table[task]
	for what, offset := range map[string]uintptr{
		"ends": unsafe.Offsetof(table.ends), "shards": unsafe.Offsetof(table.shards),
		"ends.waiting": unsafe.Offsetof(table.ends.waiting), "ends.mu": unsafe.Offsetof(table.ends.mu),
		"ends.timer": unsafe.Offsetof(table.ends.timer), "the end of the removals": unsafe.Sizeof(table.ends),
		"the end of a buffer": unsafe.Sizeof(table.ends.buffers[0]), "the end of a shard": unsafe.Sizeof(table.shards[0]),
	} {
		if offset%128 != 0 {
			t.Errorf("%s is at %d, want a multiple of 128", what, offset)
		}
	}
}
