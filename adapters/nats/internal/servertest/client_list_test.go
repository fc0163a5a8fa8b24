package servertest_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// listed returns the names of a page, in their order.
func listed(p nats.Page) (names []string) {
	for _, s := range p.Tasks {
		names = append(names, s.Name)
	}
	return names
}

func TestList(t *testing.T) {
	c := client(t)
	for i := range 12 {
		kind := []string{"even", "odd"}[i%2]
		if _, err := nats.Submit(soon(t), c, fmt.Sprintf("task %d", i), i, nats.WithKind(kind), nats.WithKey("k")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		search   nats.Search
		want     []string
		complete bool
	}{
		{nats.Search{Kind: "even"}, []string{"task 0", "task 2", "task 4", "task 6", "task 8", "task 10"}, true},
		{nats.Search{Text: "1"}, []string{"task 1", "task 10", "task 11"}, true},
		{nats.Search{Text: "1", Kind: "odd"}, []string{"task 1", "task 11"}, true},
		{nats.Search{Text: "task 9", Limit: 1}, []string{"task 9"}, false},
		{nats.Search{Limit: 2}, []string{"task 0", "task 1"}, false},
		{nats.Search{Text: "nobody"}, nil, true},
		{nats.Search{Text: "task 9", Kind: "even"}, nil, true},
	} {
		p, err := c.List(soon(t), tt.search)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, listed(p)); diff != "" || p.Complete != tt.complete || p.Total != 12 {
			t.Errorf("%+v: complete %t, %d in all (-want +got):\n%s", tt.search, p.Complete, p.Total, diff)
		}
	}
	p, err := c.List(soon(t), nats.Search{Text: "task 3"})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Tasks[0]
	if got.Kind != "odd" || got.Key != "k" || got.Status != taskmanager.NotAssigned || got.ID == "" || got.QueuedAt.IsZero() {
		t.Errorf("the status is %+v", got)
	}
}

// The cost of a search does not depend on how many tasks wait, and a whole name is found among them.
func TestListOfMany(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	const many = 3000
	for i := range many {
		h := natsgo.Header{"Task-Version": {"1"}, "Task-Id": {strconv.Itoa(i)}}
		if err := nc.PublishMsg(&natsgo.Msg{Subject: fmt.Sprintf("tasks.run.normal.k.many-%d", i), Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprintf("many-%d", many-1)
	eventually(t, "all tasks are stored", func() bool {
		p, err := c.List(soon(t), nats.Search{Text: last})
		return err == nil && p.Total == many && slices.Equal(listed(p), []string{last}) && !p.Complete
	})
	p, err := c.List(soon(t), nats.Search{})
	if err != nil || len(p.Tasks) != 100 || p.Complete {
		t.Errorf("%d tasks, complete %t, %v", len(p.Tasks), p.Complete, err)
	}
}

func TestLatestDeadLetters(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	bury := func(kind, name string) {
		h := natsgo.Header{"Task-Version": {"1"}, "Task-Id": {name}, "Task-Dead-Reason": {"broken"}, "Task-Dead-Attempts": {"3"}}
		if err := nc.PublishMsg(&natsgo.Msg{Subject: "tasks.dead." + kind + "." + name, Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	empty, err := c.LatestDeadLetters(soon(t), nats.Search{})
	if err != nil || len(empty.Letters) > 0 || !empty.Complete {
		t.Errorf("%d letters, complete %t, %v", len(empty.Letters), empty.Complete, err)
	}
	for i := range 40 {
		bury("rare", fmt.Sprintf("old-%d", i))
	}
	for i := range 3000 {
		bury("common", fmt.Sprintf("new-%d", i))
	}
	latest := func(s nats.Search) nats.DeadPage {
		t.Helper()
		p, err := c.LatestDeadLetters(soon(t), s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	eventually(t, "all dead letters are stored", func() bool { return latest(nats.Search{Limit: 1}).Total == 3040 })
	p := latest(nats.Search{Limit: 2})
	if got := []string{p.Letters[0].Name, p.Letters[1].Name}; !slices.Equal(got, []string{"new-2999", "new-2998"}) || p.Complete {
		t.Errorf("the newest are %q, complete %t", got, p.Complete)
	}
	if got := p.Letters[0]; got.Kind != "common" || got.Reason != "broken" || got.Attempts != 3 {
		t.Errorf("the newest is %+v", got)
	}
	if p := latest(nats.Search{Kind: "rare"}); len(p.Letters) != 40 || p.Letters[0].Name != "old-39" || !p.Complete {
		t.Errorf("%d letters, complete %t", len(p.Letters), p.Complete)
	}
	if p := latest(nats.Search{Text: "old-7"}); len(p.Letters) != 0 || p.Complete {
		t.Errorf("a search through all found %d letters, complete %t", len(p.Letters), p.Complete)
	}
	// Most of a stretch is deleted.
	for d, err := range c.DeadLetters(soon(t), "common") {
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := strconv.Atoi(d.Name[len("new-"):]); n < 1500 {
			continue
		}
		if err := c.Delete(soon(t), d); err != nil {
			t.Fatal(err)
		}
	}
	if p := latest(nats.Search{Limit: 1}); p.Total != 1540 || p.Letters[0].Name != "new-1499" {
		t.Errorf("%d letters, the newest is %+v", p.Total, p.Letters[0])
	}
	if p := latest(nats.Search{Text: "old-7"}); len(p.Letters) != 1 || !p.Complete {
		t.Errorf("%d letters, complete %t", len(p.Letters), p.Complete)
	}
}
