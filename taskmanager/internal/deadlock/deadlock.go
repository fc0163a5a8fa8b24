// Package deadlock searches a graph of waits for nodes that can never continue.
//
// A node has any number of needs, and ends when all of them are met. A need is met by the end
// of all of its nodes, or of any one of them. A node is stuck if it is in the largest set of
// nodes where each has a need that cannot be met without the end of another member, or of
// itself. Such a set is a cycle of waits, a knot of several, or nodes that wait for one.
//
// The package holds no state and knows no tasks: the caller describes the graph by a function.
package deadlock

// Need is the end of nodes that another node needs. A need without nodes is met.
type Need[N comparable] struct {
	Nodes []N
	Any   bool // the end of any one of the nodes meets the need; false: it takes all of them
}

// Stuck reports whether one of several nodes is stuck. The function needs returns the needs
// of a node; it is called once for each node that the starts depend on. A need that several
// nodes have should be the same pointer, as it is looked at once.
//
// The search takes time linear in the number of these nodes, their needs, and the nodes of each
// distinct need.
func Stuck[N comparable](needs func(N) []*Need[N], starts ...N) bool {
	s := search[N]{nodes: make(map[N]*node), open: make(map[*Need[N]]*open)}
	for _, start := range starts {
		s.visit(start)
	}
	for ; len(s.queue) > 0; s.queue = s.queue[1:] {
		s.expand(s.nodes[s.queue[0]], needs(s.queue[0]))
	}
	s.release()
	for _, start := range starts {
		if s.nodes[start].needs > 0 {
			return true
		}
	}
	return false
}

// search first assumes that all nodes are stuck. Then it releases, one after another, the nodes
// that nothing blocks. What remains is the largest set of stuck nodes.
type search[N comparable] struct {
	nodes map[N]*node
	open  map[*Need[N]]*open
	queue []N     // visited and not expanded
	free  []*node // without open needs, and not released
}

// node is a node of the graph during a search.
type node struct {
	needs  int     // open ones
	blocks []*open // needs of nodes, which lack its end
}

// open is a need that is not met.
type open struct {
	missing int // ends
	of      []*node
}

// visit returns a node. It schedules the expansion of a new one.
func (s *search[N]) visit(name N) *node {
	n := s.nodes[name]
	if n == nil {
		n = new(node)
		s.nodes[name] = n
		s.queue = append(s.queue, name)
	}
	return n
}

// expand adds the needs of a node.
func (s *search[N]) expand(n *node, needs []*Need[N]) {
	for _, need := range needs {
		if len(need.Nodes) == 0 {
			continue
		}
		o := s.open[need]
		if o == nil {
			o = &open{missing: len(need.Nodes)}
			if need.Any {
				o.missing = 1
			}
			s.open[need] = o
			for _, name := range need.Nodes {
				lacked := s.visit(name)
				lacked.blocks = append(lacked.blocks, o)
			}
		}
		o.of = append(o.of, n)
		n.needs++
	}
	if n.needs == 0 {
		s.free = append(s.free, n)
	}
}

// release ends all nodes that can end.
func (s *search[N]) release() {
	for ; len(s.free) > 0; s.free = s.free[1:] {
		for _, o := range s.free[0].blocks {
			if o.missing--; o.missing != 0 {
				continue
			}
			for _, n := range o.of {
				if n.needs--; n.needs == 0 {
					s.free = append(s.free, n)
				}
			}
		}
	}
}
