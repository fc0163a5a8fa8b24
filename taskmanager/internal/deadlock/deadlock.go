// Package deadlock searches a graph of waits for nodes that can never continue.
//
// A node has any number of needs, and ends when all of them are met. A need is met by the end
// of all of its nodes, of any one of them, or of some that together have a weight; without nodes it
// is met. A node is stuck if it is
// in the largest set of nodes where each has a need that cannot be met without the end of
// another member, or of itself. Such a set is a cycle of waits, a knot of several, or nodes that
// wait for one.
//
// The package holds no state and knows no tasks: the caller describes the graph.
package deadlock

import "iter"

// Graph describes nodes of type N and their needs, of type D. It can be followed in both
// directions. A sequence may have a node or a need more than once. The search may stop a
// sequence early, and may ask for it again.
type Graph[N, D comparable] interface {
	// Needs returns the needs of a node.
	Needs(node N) iter.Seq[D]
	// Nodes returns the nodes of a need. It may omit nodes that have no needs, if the need is
	// for the end of all.
	Nodes(need D) iter.Seq[N]
	// Enough returns the weight of the ends that meet the need: 1 for any one of nodes of weight 1,
	// for example. It returns 0 if all nodes must end.
	Enough(need D) int64
	// Weight returns the weight of a node of the need, 1 or more, unless Enough returns 0. If
	// the weights are not all 1, the sequence of Nodes has each node once.
	Weight(need D, node N) int64
	// For returns the needs for the end of a node.
	For(node N) iter.Seq[D]
	// Having returns the nodes that have a need, or false if they cannot be listed. It may omit
	// nodes whose ends no node needs.
	Having(need D) (nodes iter.Seq[N], ok bool)
}

// Closes reports whether a node is stuck because of one of its needs, which it has got last. No
// node may have been stuck before.
//
// Then all stuck nodes depend on the node, and the need depends on all of them. Closes follows
// the graph in both directions, alternately and with equal effort, until one of them is
// exhausted. It takes time linear in the smaller of two numbers: that of the nodes that depend on
// the node, with the needs for their ends, and that of the nodes on which the need depends, with
// their needs. So a chain of waits takes linear time in total, whether it is built from its head
// or from its end.
func Closes[N, D comparable](g Graph[N, D], node N, need D) bool {
	if none(g.For(node)) || none(g.Nodes(need)) {
		return false
	}
	for effort := 8; ; effort *= 4 {
		for _, explore := range []func(*search[N, D], N, D){(*search[N, D]).backward, (*search[N, D]).forward} {
			s := search[N, D]{g: g, effort: effort, vertices: make(map[N]*vertex), needs: make(map[D]*open)}
			explore(&s, node, need)
			if s.effort >= 0 {
				return s.unmet(need)
			}
		}
	}
}

// none reports whether a sequence is empty.
func none[V any](seq iter.Seq[V]) bool {
	for range seq {
		return false
	}
	return true
}

// search explores the graph in one direction, and assumes that all visited nodes are stuck. Then
// it releases, one after another, the nodes that nothing blocks. What remains is stuck. The
// node of the search, which is visited first, is never released.
type search[N, D comparable] struct {
	g        Graph[N, D]
	effort   int // steps that are left; negative: the search is given up
	vertices map[N]*vertex
	needs    map[D]*open
	visited  []N // the keys of vertices
}

// vertex is a visited node.
type vertex struct {
	needs  int     // open ones
	blocks []block // needs of nodes, which lack its end
}

// block is a need that lacks the end of a node of some weight.
type block struct {
	*open

	weight int64
}

// open is a visited need.
type open struct {
	missing int64 // the weight of the ends that it lacks; 0 or less: the need is met
	of      []*vertex
}

// step reports whether the search may take one more step.
func (s *search[N, D]) step() bool {
	s.effort--
	return s.effort >= 0
}

// vertex returns the vertex of a node.
func (s *search[N, D]) vertex(node N) *vertex {
	v := s.vertices[node]
	if v == nil {
		v = new(vertex)
		s.vertices[node] = v
		s.visited = append(s.visited, node)
	}
	return v
}

// forward visits all nodes on which a need depends, except through the node that has it.
func (s *search[N, D]) forward(node N, need D) {
	s.vertex(node)
	s.open(need)
	for i := 1; i < len(s.visited); i++ {
		v := s.vertices[s.visited[i]]
		for d := range s.g.Needs(s.visited[i]) {
			if !s.step() {
				return
			}
			if o := s.open(d); o.missing > 0 {
				o.of = append(o.of, v)
				v.needs++
			}
		}
	}
}

// open returns a need, and visits its nodes if it is new.
func (s *search[N, D]) open(need D) *open {
	o := s.needs[need]
	if o != nil {
		return o
	}
	o = new(open)
	s.needs[need] = o
	for node := range s.g.Nodes(need) {
		if !s.step() {
			break
		}
		s.add(o, need, node, s.vertex(node))
	}
	if enough := s.g.Enough(need); enough > 0 {
		o.missing = min(o.missing, enough)
	}
	return o
}

// add adds a node to a need that lacks its end.
func (s *search[N, D]) add(o *open, need D, node N, v *vertex) {
	weight := int64(1)
	if s.g.Enough(need) > 0 {
		weight = s.g.Weight(need, node)
	}
	v.blocks = append(v.blocks, block{o, weight})
	o.missing += weight
}

// backward visits all nodes that depend on the end of a node.
func (s *search[N, D]) backward(node N, _ D) {
	s.vertex(node)
	for i := 0; i < len(s.visited); i++ { //nolint:intrange // the loop adds to visited
		v := s.vertices[s.visited[i]]
		for d := range s.g.For(s.visited[i]) {
			if !s.step() {
				return
			}
			s.add(s.had(d), d, s.visited[i], v)
		}
	}
	if s.effort >= 0 {
		s.settleSome()
	}
}

// settleSome corrects the needs for some of several nodes, which backward treats as needs for all.
// The nodes that were not visited do not depend on the node of the search, so they can end.
func (s *search[N, D]) settleSome() {
	for d, o := range s.needs {
		enough := s.g.Enough(d)
		if enough == 0 {
			continue
		}
		none := true
		for node := range s.g.Nodes(d) {
			none = false
			if s.vertices[node] == nil {
				enough -= s.g.Weight(d, node)
			}
			if enough <= 0 {
				break
			}
		}
		if none {
			enough = 0
		}
		if o.missing = min(o.missing, max(enough, 0)); o.missing > 0 {
			continue
		}
		for _, v := range o.of {
			v.needs--
		}
	}
}

// had returns a need, and visits the nodes that have it if it is new.
func (s *search[N, D]) had(need D) *open {
	o := s.needs[need]
	if o != nil {
		return o
	}
	o = new(open)
	s.needs[need] = o
	nodes, ok := s.g.Having(need)
	if !ok {
		s.effort = -1
		return o
	}
	for node := range nodes {
		if !s.step() {
			break
		}
		v := s.vertex(node)
		v.needs++
		o.of = append(o.of, v)
	}
	return o
}

// unmet ends all visited nodes that can end, and reports whether a need cannot be met.
func (s *search[N, D]) unmet(need D) bool {
	var free []*vertex
	for _, node := range s.visited[1:] {
		if v := s.vertices[node]; v.needs == 0 {
			free = append(free, v)
		}
	}
	for ; len(free) > 0; free = free[1:] {
		for _, o := range free[0].blocks {
			before := o.missing
			if o.missing -= o.weight; before <= 0 || o.missing > 0 {
				continue
			}
			for _, v := range o.of {
				if v.needs--; v.needs == 0 && v != s.vertices[s.visited[0]] {
					free = append(free, v)
				}
			}
		}
	}
	o := s.needs[need]
	return o != nil && o.missing > 0
}
