package deadlock_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/internal/deadlock"
)

type need = deadlock.Need[string]

func all(nodes ...string) *need { return &need{Nodes: nodes} }
func anyOf(nodes ...string) *need {
	return &need{Nodes: nodes, Any: true}
}

// graph is the needs of each node; a node that is not in it has none.
type graph map[string][]*need

func (g graph) needs(node string) []*need { return g[node] }

// stuck returns all nodes that are stuck, each found by a search of its own.
func (g graph) stuck() (stuck []string) {
	for _, node := range slices.Sorted(maps.Keys(g)) {
		if deadlock.Stuck(g.needs, node) {
			stuck = append(stuck, node)
		}
	}
	return stuck
}

func TestStuck(t *testing.T) {
	members := all("m1", "m2", "m3")
	onWorkers := anyOf("r1", "r2") // all that the limit of a key lets run
	for _, c := range []struct {
		name  string
		graph graph
		want  []string
	}{
		{"no needs", graph{"a": nil}, nil},
		{"needs without nodes", graph{"a": {all(), anyOf()}}, nil},
		{"chain", graph{"a": {all("b")}, "b": {all("c")}}, nil},
		{"self", graph{"a": {all("a")}}, []string{"a"}},
		{"any of itself and a free one", graph{"a": {anyOf("a", "b")}}, nil},
		{"cycle of two", graph{"a": {all("b")}, "b": {all("a")}}, []string{"a", "b"}},
		{"cycle of three and a chain that leads to it",
			graph{"a": {all("b")}, "b": {all("c")}, "c": {all("a")}, "d": {all("e")}, "e": {all("a")}},
			[]string{"a", "b", "c", "d", "e"}},
		{"cycle and a chain that leads away",
			graph{"a": {all("b", "d")}, "b": {all("a")}, "d": {all("e")}}, []string{"a", "b"}},
		{"diamond", graph{"a": {all("b", "c")}, "b": {all("d")}, "c": {all("d")}}, nil},
		{"diamond in two needs", graph{"a": {all("b"), all("c")}, "b": {all("d")}, "c": {all("d")}}, nil},
		{"diamond that is closed",
			graph{"a": {all("b", "c")}, "b": {all("d")}, "c": {all("d")}, "d": {anyOf("a")}}, []string{"a", "b", "c", "d"}},
		{"any of a cycle and a free one",
			graph{"a": {anyOf("b", "free")}, "b": {all("a")}}, nil},
		{"any of two that are stuck",
			graph{"a": {anyOf("b", "c")}, "b": {all("a")}, "c": {all("c")}}, []string{"a", "b", "c"}},
		{"one need met and one not",
			graph{"a": {anyOf("b", "free"), all("b")}, "b": {all("a")}}, []string{"a", "b"}},
		{"a group of which one member waits for the group",
			graph{"a": {members}, "m2": {members}}, []string{"a", "m2"}},
		{"a group of which one member waits for another one",
			graph{"a": {members}, "m2": {all("m1")}}, nil},
		{"room in a group that one member needs", // the others may end
			graph{"m1": {anyOf("m1", "m2", "m3")}}, nil},
		{"the limit of a key is used up by those that wait for the task",
			graph{"q": {onWorkers}, "r1": {all("q")}, "r2": {all("q")}}, []string{"q", "r1", "r2"}},
		{"the limit of a key is used up, and one goes on",
			graph{"q": {onWorkers}, "r1": {all("q")}}, nil},
		{"many in the queue behind the same limit",
			graph{"q1": {onWorkers}, "q2": {onWorkers}, "q3": {onWorkers}, "r1": {all("q1", "q2")}, "r2": {all("q3")}},
			[]string{"q1", "q2", "q3", "r1", "r2"}},
		{"a node twice in a need", graph{"a": {all("b", "b"), anyOf("c", "c")}}, nil},
		{"a need twice of a node", graph{"a": {members, members}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			check.Equal(t, "the nodes that are stuck", c.graph.stuck(), c.want)
		})
	}
}

// TestSeveralStarts: one that is stuck is enough.
func TestSeveralStarts(t *testing.T) {
	g := graph{"a": {all("b")}, "c": {all("d")}, "d": {all("c", "a")}}
	for _, c := range []struct {
		starts []string
		want   bool
	}{{nil, false}, {[]string{"a", "b"}, false}, {[]string{"a", "c"}, true}, {[]string{"d", "a", "d"}, true}} {
		if got := deadlock.Stuck(g.needs, c.starts...); got != c.want {
			t.Errorf("Stuck(%q) returned %v, want %v", c.starts, got, c.want)
		}
	}
}

// numbered is a graph of nodes 0, 1, …
type numbered [][]*deadlock.Need[int]

func (g numbered) needs(node int) []*deadlock.Need[int] { return g[node] }

// String shows the graph in the report of a failure.
func (g numbered) String() string {
	s := ""
	for node, needs := range g {
		s += fmt.Sprint("\n  ", node, " needs")
		for _, n := range needs {
			s += fmt.Sprintf(" %s of %v,", map[bool]string{false: "all", true: "any"}[n.Any], n.Nodes)
		}
	}
	return s
}

// blocked reports whether each node of a set has a need that the others cannot meet without
// an end in the set. Bit i of the set is node i.
func (g numbered) blocked(set int) bool {
	in := func(node int) bool { return set>>node&1 == 1 }
	out := func(node int) bool { return !in(node) }
	for node, needs := range g {
		if in(node) && !slices.ContainsFunc(needs, func(n *deadlock.Need[int]) bool {
			if n.Any {
				return len(n.Nodes) > 0 && !slices.ContainsFunc(n.Nodes, out)
			}
			return slices.ContainsFunc(n.Nodes, in)
		}) {
			return false
		}
	}
	return true
}

// stuck tries all sets of nodes. The union of two blocked sets is blocked, so a node is in the
// largest one if it is in any.
func (g numbered) stuck(start int) bool {
	for set := range 1 << len(g) {
		if set>>start&1 == 1 && g.blocked(set) {
			return true
		}
	}
	return false
}

// draw draws a graph, in which nodes may share needs.
func draw(t *rapid.T) numbered {
	g := make(numbered, rapid.IntRange(1, 8).Draw(t, "nodes"))
	node := rapid.IntRange(0, len(g)-1)
	pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *deadlock.Need[int] {
		return &deadlock.Need[int]{Nodes: rapid.SliceOfN(node, 0, 4).Draw(t, "of"), Any: rapid.Bool().Draw(t, "any")}
	}), 1, 12).Draw(t, "pool")
	for i := range g {
		g[i] = rapid.SliceOfN(rapid.SampledFrom(pool), 0, 3).Draw(t, "needs")
	}
	return g
}

func TestStuckEqualsAllSubsets(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t)
		for start := range g {
			want := g.stuck(start)
			if got := deadlock.Stuck(g.needs, start); got != want {
				t.Fatalf("Stuck(%d) returned %v, want %v, in%v", start, got, want, g)
			}
			seen[want]++
		}
	})
	if seen[false] == 0 || seen[true] == 0 {
		t.Errorf("%d nodes were free and %d stuck, want some of each", seen[false], seen[true])
	}
}

// shapes are graphs of about n nodes, with a number of dependencies linear in n, where needs
// are shared.
var shapes = map[string]func(n int) numbered{
	"chain": func(n int) numbered {
		g := make(numbered, n)
		for i := range n - 1 {
			g[i] = []*deadlock.Need[int]{{Nodes: []int{i + 1}}}
		}
		return g
	},
	"cycle": func(n int) numbered {
		g := make(numbered, n)
		for i := range n {
			g[i] = []*deadlock.Need[int]{{Nodes: []int{(i + 1) % n}}}
		}
		return g
	},
	"all wait for one group, whose members are held back by a key": func(n int) numbered {
		g := make(numbered, n)
		group, key := new(deadlock.Need[int]), &deadlock.Need[int]{Any: true}
		for i := range n {
			if i%2 == 0 {
				g[i] = []*deadlock.Need[int]{group}
				key.Nodes = append(key.Nodes, i)
			} else {
				g[i] = []*deadlock.Need[int]{key}
				group.Nodes = append(group.Nodes, i)
			}
		}
		return g
	},
}

// TestCostIsLinear: each node is asked once, and twice the nodes take about twice the memory,
// which bounds the steps that add something.
func TestCostIsLinear(t *testing.T) {
	const n = 4000
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) (bytes uint64) {
				g, asked := shape(n), make([]int, n)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				deadlock.Stuck(func(node int) []*deadlock.Need[int] { asked[node]++; return g[node] }, 0)
				runtime.ReadMemStats(&after)
				for node, times := range asked {
					if times != 1 {
						t.Fatalf("node %d of %d was asked %d times for its needs, want once", node, n, times)
					}
				}
				return after.TotalAlloc - before.TotalAlloc
			}
			small, large := cost(n), cost(2*n)
			t.Logf("%d bytes a node for %d nodes, %d for %d", small/n, n, large/2/n, 2*n)
			if large > 3*small {
				t.Errorf("%d nodes take %d bytes and %d take %d, want at most three times as many", n, small, 2*n, large)
			}
		})
	}
}

func BenchmarkStuck(b *testing.B) {
	const n = 1000
	for name, shape := range shapes {
		b.Run(name, func(b *testing.B) {
			g := shape(n)
			b.ReportAllocs()
			for b.Loop() {
				deadlock.Stuck(g.needs, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/node")
		})
	}
}
