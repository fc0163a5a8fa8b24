package taskmanager

import (
	"errors"
	"hash/maphash"
	"maps"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStatusHoldsNoLockForLong times how long a status of 100,000 outstanding
// tasks locks each thing that a dispatch needs: the best of several tries for
// each, since on a busy machine any of them can be interrupted.
func TestStatusHoldsNoLockForLong(t *testing.T) {
	const tasks, limit, tries = 100_000, time.Millisecond, 10
	n := newNames()
	for i := range tasks {
		if err := n.add(&Handle{name: "task/" + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	listed, longest := 0, time.Duration(0)
	links := make([]*link, 0, tasks)
	for i := range n.shards {
		best := time.Hour
		for range tries {
			start := time.Now()
			links = n.shards[i].appendLinks(links[:0])
			best = min(best, time.Since(start))
		}
		listed += len(links)
		longest = max(longest, best)
	}
	if listed != tasks {
		t.Fatalf("%d tasks listed, want %d", listed, tasks)
	}
	if longest > limit {
		t.Errorf("the status of %d tasks locks a shard for %v, want at most %v", tasks, longest, limit)
	}
}

// crowd returns names that all fall into the first two shards, so that a few
// hundred of them make those grow and shrink.
func crowd(n *names, count int) []string {
	var crowd []string
	for i := 0; len(crowd) < count; i++ {
		if name := strconv.Itoa(i); maphash.String(n.seed, name)%shardCount < 2 {
			crowd = append(crowd, name)
		}
	}
	return crowd
}

// TestNamesEqualAMap drives the table and a map through the same calls.
func TestNamesEqualAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, want := newNames(), map[string]*Handle{}
		pool := crowd(n, 600)
		name := rapid.IntRange(0, len(pool)-1)
		worker := rapid.Int32Range(0, 3) // who is to end it, and so the lot
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				first := name.Draw(t, "name")
				for i := range rapid.SampledFrom([]int{1, 1, 1, 1, 500}).Draw(t, "count") {
					h := &Handle{name: pool[(first+i)%len(pool)], worker: worker.Draw(t, "worker")}
					err := n.add(h)
					if _, taken := want[h.name]; taken != errors.Is(err, ErrAlreadyExists) || !taken && err != nil {
						t.Fatalf("add(%q) returned %v; taken is %v", h.name, err, taken)
					}
					if err == nil {
						want[h.name] = h
					}
				}
			},
			"remove": func(t *rapid.T) {
				first := name.Draw(t, "name")
				for i := range rapid.SampledFrom([]int{1, 1, 1, 1, 500}).Draw(t, "count") {
					if h := want[pool[(first+i)%len(pool)]]; h != nil {
						n.remove(h, nil)
						delete(want, h.name)
					}
				}
			},
			"": func(t *rapid.T) {
				got := map[string]*Handle{}
				all := n.all()
				for _, h := range all {
					got[h.name] = h
				}
				if !maps.Equal(got, want) || len(all) != len(want) {
					t.Fatalf("%d names listed, %d of them different; want %d", len(all), len(got), len(want))
				}
				if got := n.empty(); got != (len(want) == 0) {
					t.Fatalf("empty() returned %v with %d names", got, len(want))
				}
				if got := n.some(); got != nil && want[got.name] != got || got == nil && len(want) > 0 {
					t.Fatalf("some() returned %v with %d names", got, len(want))
				}
				asked := pool[name.Draw(t, "asked")]
				if got := n.lookup(asked); got != want[asked] {
					t.Fatalf("lookup(%q) returned %v, want %v", asked, got, want[asked])
				}
			},
		})
		n.close()
		if err := n.add(&Handle{name: "late"}); !errors.Is(err, ErrStopped) {
			t.Fatalf("add after close returned %v, want ErrStopped", err)
		}
	})
}

// TestNamesGiveMemoryBack fills the table and empties it.
func TestNamesGiveMemoryBack(t *testing.T) {
	const tasks = 100_000
	n := newNames()
	handles := make([]*Handle, tasks)
	for i := range handles {
		handles[i] = &Handle{name: strconv.Itoa(i)}
		if err := n.add(handles[i]); err != nil {
			t.Fatal(err)
		}
	}
	size := func() (tags, entries int) {
		for i := range n.shards {
			tags += len(n.shards[i].tags)
			entries += cap(n.shards[i].entries)
		}
		return tags, entries
	}
	if tags, entries := size(); tags < tasks || tags > 4*tasks || entries > 2*tasks {
		t.Errorf("%d tags and %d entries for %d names, want one to four and at most two for each", tags, entries, tasks)
	}
	for _, h := range handles {
		n.remove(h, nil)
	}
	for range mostFull {
		n.clearLimbo()
	}
	if tags, entries := size(); tags != shardCount*minTags || entries > shardCount*minTags {
		t.Errorf("%d tags and %d entries left for no names, want %d", tags, entries, shardCount*minTags)
	}
}

// TestOneNameAgainAndAgain: a name whose tasks end on many workers has one entry, whatever
// waits in their lots to be removed.
func TestOneNameAgainAndAgain(t *testing.T) {
	n := newNames()
	shard, _, _ := n.hash("again")
	for i := range int32(10_000) {
		h := &Handle{name: "again", worker: i}
		if err := n.add(h); err != nil {
			t.Fatal(err)
		}
		if got := n.shards[shard].n; got != 1 {
			t.Fatalf("task %d of one name has %d entries, want 1", i, got)
		}
		if n.lookup("again") != h {
			t.Fatalf("task %d is not found", i)
		}
		n.remove(h, nil)
		if got := n.lookup("again"); got != nil {
			t.Fatalf("task %d is found after its end", i)
		}
	}
	if !n.empty() {
		t.Error("names without outstanding tasks are not empty")
	}
}
