package deadlock_test

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/internal/deadlock"
)

// need is the end of some nodes. Its pointer identifies it.
type need struct {
	nodes  []int
	any    bool
	enough int  // of weights, if not 0; node n has the weight n+1
	hidden bool // the nodes that have it cannot be listed
}

func all(nodes ...int) *need   { return &need{nodes: nodes} }
func anyOf(nodes ...int) *need { return &need{nodes: nodes, any: true} }

// some is the end of nodes that have a weight together.
func some(enough int, nodes ...int) *need { return &need{nodes: nodes, enough: enough} }

// graph is a set of nodes with needs. It counts the steps of searches.
type graph struct {
	needs  map[int][]*need
	having map[*need][]int
	with   map[int][]*need // the needs that contain a node
	steps  int
}

func newGraph() *graph {
	return &graph{needs: map[int][]*need{}, having: map[*need][]int{}, with: map[int][]*need{}}
}

// seq returns a sequence of which each element is a step.
func seq[V any](g *graph, list []V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range list {
			g.steps++
			if !yield(v) {
				return
			}
		}
	}
}

func (g *graph) Needs(node int) iter.Seq[*need] { return seq(g, g.needs[node]) }
func (g *graph) Nodes(n *need) iter.Seq[int]    { return seq(g, n.nodes) }

func (g *graph) Enough(n *need) int64 {
	if n.any {
		return 1
	}
	return int64(n.enough)
}

func (g *graph) Weight(n *need, node int) int64 {
	if n.any {
		return 1
	}
	return int64(node) + 1
}

func (g *graph) For(node int) iter.Seq[*need] { return seq(g, g.with[node]) }
func (g *graph) Having(n *need) (iter.Seq[int], bool) {
	return seq(g, g.having[n]), !n.hidden
}

// add gives a node one more need, unless it would be stuck then, and reports whether it is not.
func (g *graph) add(node int, n *need) bool {
	g.needs[node] = append(g.needs[node], n)
	if len(g.having[n]) == 0 {
		for _, of := range n.nodes {
			g.with[of] = append(g.with[of], n)
		}
	}
	g.having[n] = append(g.having[n], node)
	if !deadlock.Closes(g, node, n) {
		return true
	}
	g.remove(node, n)
	return false
}

func (g *graph) remove(node int, n *need) {
	cut := func(list []*need) []*need {
		i := slices.Index(list, n)
		return slices.Delete(list, i, i+1)
	}
	g.needs[node] = cut(g.needs[node])
	i := slices.Index(g.having[n], node)
	g.having[n] = slices.Delete(g.having[n], i, i+1)
	if len(g.having[n]) == 0 {
		for _, of := range n.nodes {
			g.with[of] = cut(g.with[of])
		}
	}
}

// String shows the graph in the report of a failure.
func (g *graph) String() string {
	s := ""
	for _, node := range slices.Sorted(maps.Keys(g.needs)) {
		s += fmt.Sprint("\n  ", node, " needs")
		for _, n := range g.needs[node] {
			s += fmt.Sprintf(" %s of %v,", map[bool]string{false: "all", true: "any"}[n.any], n.nodes)
		}
	}
	return s
}

// blocked reports whether each node of a set has a need that the others cannot meet without
// an end in the set. Bit i of the set is node i.
func (g *graph) blocked(set int) bool {
	in := func(node int) bool { return set>>node&1 == 1 }
	out := func(node int) bool { return !in(node) }
	for node := 0; set>>node > 0; node++ {
		if in(node) && !slices.ContainsFunc(g.needs[node], func(n *need) bool {
			if n.any {
				return len(n.nodes) > 0 && !slices.ContainsFunc(n.nodes, out)
			}
			if n.enough > 0 {
				total, outside := 0, 0
				for _, x := range n.nodes {
					total += x + 1
					if out(x) {
						outside += x + 1
					}
				}
				return outside < min(n.enough, total)
			}
			return slices.ContainsFunc(n.nodes, in)
		}) {
			return false
		}
	}
	return true
}

// stuck tries all sets of n nodes. The union of two blocked sets is blocked, so a node is in the
// largest one if it is in any.
func (g *graph) stuck(start, n int) bool {
	for set := range 1 << n {
		if set>>start&1 == 1 && g.blocked(set) {
			return true
		}
	}
	return false
}

// TestCloses adds needs in order. Only the last one may be refused.
func TestCloses(t *testing.T) {
	type needs = []any // nodes and their needs, alternately
	members, onWorkers := all(1, 2, 3), anyOf(1, 2)
	for _, c := range []struct {
		name  string
		needs needs
		want  bool // whether the last one is refused
	}{
		{"nothing", needs{0, all()}, false},
		{"any of nothing", needs{0, anyOf()}, false},
		{"itself", needs{0, all(0)}, true},
		{"itself and another one", needs{0, all(1, 0)}, true},
		{"any of itself", needs{0, anyOf(0)}, true},
		{"any of itself and a free one", needs{0, anyOf(0, 1)}, false},
		{"a chain from its head", needs{0, all(1), 1, all(2), 2, all(3)}, false},
		{"a chain from its end", needs{2, all(3), 1, all(2), 0, all(1)}, false},
		{"two", needs{0, all(1), 1, all(0)}, true},
		{"three", needs{0, all(1), 2, all(0), 1, all(2)}, true},
		{"a chain that leads to a node of a chain", needs{1, all(2), 2, all(3), 0, all(1)}, false},
		{"a diamond", needs{0, all(1, 2), 1, all(3), 2, all(3)}, false},
		{"a diamond in two needs", needs{0, all(1), 0, all(2), 1, all(3), 2, all(3)}, false},
		{"a diamond that is closed", needs{0, all(1, 2), 1, all(3), 2, all(3), 3, anyOf(0)}, true},
		{"any of a cycle and a free one", needs{1, all(0), 0, anyOf(1, 2)}, false},
		{"any of two that need it", needs{1, all(0), 2, all(3), 3, all(0), 0, anyOf(1, 2)}, true},
		{"one need that is met and one that is not", needs{1, all(0), 0, anyOf(1, 2), 0, all(1)}, true},
		{"the last way out", needs{1, all(0), 0, anyOf(1, 2), 2, all(0)}, true},
		{"a way out by another need", needs{1, all(0), 0, anyOf(1, 2), 2, all(3)}, false},
		{"a cycle of nodes that another one frees", needs{0, anyOf(1, 2), 1, all(0), 3, all(0), 2, all(4)}, false},
		{"a group of which one member needs the group", needs{0, members, 2, members}, true},
		{"a group of which one member needs another one", needs{0, members, 2, all(1)}, false},
		{"room in a group that one member needs", needs{1, anyOf(1, 2, 3)}, false},
		{"the limit of a key is used up by nodes that need the node", needs{0, onWorkers, 1, all(0), 2, all(0)}, true},
		{"the limit of a key is used up, and one goes on", needs{0, onWorkers, 1, all(0)}, false},
		{"many behind one limit", needs{0, onWorkers, 3, onWorkers, 4, onWorkers, 1, all(0, 3), 2, all(4)}, true},
		{"some nodes that together suffice", needs{1, all(0), 0, some(5, 1, 2, 3)}, false},
		{"some nodes that suffice without the one that needs it", needs{3, all(0), 0, some(5, 1, 2, 3)}, false},
		{"some nodes that do not suffice", needs{3, all(0), 0, some(6, 1, 2, 3)}, true},
		{"some nodes, fewer than would suffice", needs{2, all(3), 0, some(9, 1, 2)}, false},
		{"two of some nodes", needs{1, all(0), 2, all(0), 0, some(5, 1, 2, 3)}, true},
		{"a node twice in a need", needs{0, all(1, 1), 0, anyOf(2, 2), 3, all(0)}, false},
		{"a need twice of a node", needs{0, members, 0, members, 4, all(0)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, hidden := range []bool{false, true} {
				g := newGraph()
				for i := 0; i < len(c.needs); i += 2 {
					node, n := c.needs[i].(int), c.needs[i+1].(*need)
					n.hidden = hidden
					last := i+2 == len(c.needs)
					check.Equal(t, fmt.Sprintf("need %d, hidden %t: refused", i/2, hidden), !g.add(node, n), last && c.want)
				}
			}
		})
	}
}

// TestClosesEqualsAllSubsets adds needs to a random graph and removes some. Those that would
// make a node stuck are refused.
func TestClosesEqualsAllSubsets(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "nodes")
		node := rapid.IntRange(0, n-1)
		pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *need {
			kind, enough := rapid.SampledFrom([]string{"all", "any", "some"}).Draw(t, "kind"), 0
			if kind == "some" {
				enough = rapid.IntRange(1, 20).Draw(t, "enough")
				return &need{nodes: rapid.SliceOfNDistinct(node, 0, min(n, 4), rapid.ID).Draw(t, "of"), enough: enough}
			}
			return &need{
				nodes:  rapid.SliceOfN(node, 0, 4).Draw(t, "of"),
				any:    kind == "any",
				hidden: rapid.IntRange(0, 9).Draw(t, "hidden") == 0,
			}
		}), 1, 12).Draw(t, "pool")
		g := newGraph()
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			at, what := node.Draw(t, "node"), rapid.SampledFrom(pool).Draw(t, "need")
			if slices.Contains(g.needs[at], what) && rapid.Bool().Draw(t, "remove") {
				g.remove(at, what)
				continue
			}
			g.needs[at] = append(g.needs[at], what)
			stuck := g.stuck(at, n)
			before := g.String()
			g.needs[at] = g.needs[at][:len(g.needs[at])-1]
			if added := g.add(at, what); added == stuck {
				t.Fatalf("node %d got its last need: %t; stuck: %t, in%s", at, added, stuck, before)
			}
			seen[stuck]++
		}
	})
	if seen[false] == 0 || seen[true] == 0 {
		t.Errorf("%d needs were added and %d refused, want some of each", seen[false], seen[true])
	}
}

// builds add needs to graphs of n nodes, about one for each node.
var builds = map[string]func(g *graph, n int) (refused int){
	"a chain from its head": func(g *graph, n int) (refused int) {
		for i := range n - 1 {
			refused += count(g.add(i, all(i+1)))
		}
		return refused
	},
	"a chain from its end": func(g *graph, n int) (refused int) {
		for i := n - 2; i >= 0; i-- {
			refused += count(g.add(i, all(i+1)))
		}
		return refused
	},
	"a chain in any order": func(g *graph, n int) (refused int) {
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n - 1) {
			refused += count(g.add(i, all(i+1)))
		}
		return refused
	},
	"a chain that ends at its end": func(g *graph, n int) (refused int) {
		chain := make([]*need, n)
		for i := range n - 1 {
			chain[i] = all(i + 1)
			refused += count(g.add(i, chain[i]))
			if i%2 == 1 { // the two at the end have ended, and the ones before wait for others
				g.remove(i, chain[i])
				g.remove(i-1, chain[i-1])
			}
		}
		return refused
	},
	"a ring": func(g *graph, n int) (refused int) {
		for i := range n {
			refused += count(g.add(i, all((i+1)%n)))
		}
		return refused - 1
	},
	"many that need one at the head of a chain": func(g *graph, n int) (refused int) {
		for i := n/2 - 2; i >= 0; i-- {
			refused += count(g.add(i, all(i+1)))
		}
		for i := n / 2; i < n; i++ {
			refused += count(g.add(i, all(0)))
		}
		return refused
	},
	"many that need one group, whose members need one node": func(g *graph, n int) (refused int) {
		group, root := all(), all(0)
		for i := 1; i < n/2; i++ {
			group.nodes = append(group.nodes, i)
			refused += count(g.add(i, root))
		}
		for i := n / 2; i < n; i++ {
			refused += count(g.add(i, group))
		}
		return refused
	},
	"trees from the root": func(g *graph, n int) (refused int) {
		for i := 1; 2*i+1 < n; i++ {
			refused += count(g.add(i, all(2*i, 2*i+1)))
		}
		return refused
	},
	"trees from the leaves": func(g *graph, n int) (refused int) {
		for i := (n - 2) / 2; i >= 1; i-- {
			refused += count(g.add(i, all(2*i, 2*i+1)))
		}
		return refused
	},
	"many held back by one key": func(g *graph, n int) (refused int) {
		key := anyOf(0)
		for i := 1; i < n; i += 2 {
			refused += count(g.add(i, key))
			refused += count(g.add(i+1, all(i)))
		}
		return refused
	},
}

// count is 1 for a need that was not added.
func count(added bool) int {
	if added {
		return 0
	}
	return 1
}

// TestCostIsLinear counts the steps of all searches while a graph is built. Four times the nodes
// take about four times the steps.
func TestCostIsLinear(t *testing.T) {
	const n = 1000
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			steps := func(n int) int {
				g := newGraph()
				check.Equal(t, "needs that were refused wrongly", build(g, n), 0)
				return g.steps
			}
			small, large := steps(n), steps(4*n)
			t.Logf("%.1f steps a node for %d nodes, %.1f for %d", float64(small)/n, n, float64(large)/4/n, 4*n)
			if large > 6*small+n {
				t.Errorf("%d nodes take %d steps and %d take %d, want about four times as many", n, small, 4*n, large)
			}
		})
	}
}

func BenchmarkCloses(b *testing.B) {
	const n = 1000
	for name, build := range builds {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				build(newGraph(), n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/node")
		})
	}
}
