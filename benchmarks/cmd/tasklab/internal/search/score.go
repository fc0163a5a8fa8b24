package search

import "cmp"

// Score says how good a setting is. Less is better in each respect.
type Score struct {
	Violation float64 // of what the setting must achieve; 0 if it does
	Cost      float64 // what is to be minimised
	Quality   float64 // what is weighed against the cost
}

// Compare orders scores from the best to the worst: by violation, then by cost, then by quality.
func (s Score) Compare(o Score) int {
	return cmp.Or(cmp.Compare(s.Violation, o.Violation), cmp.Compare(s.Cost, o.Cost), cmp.Compare(s.Quality, o.Quality))
}

// Dominates reports whether s is at least as good as o in cost and quality, and better in one
// of them.
func (s Score) Dominates(o Score) bool {
	return s.Cost <= o.Cost && s.Quality <= o.Quality && (s.Cost < o.Cost || s.Quality < o.Quality)
}

// Front returns the places of the scores that no other one dominates, in the order of their cost:
// the Pareto front of cost and quality. Equal scores do not dominate each other.
func Front(scores []Score) (front []int) {
	order := sorted(len(scores), func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[a].Cost, scores[b].Cost), cmp.Compare(scores[a].Quality, scores[b].Quality))
	})
	for _, i := range order {
		// The last member has the best quality of all that are cheaper.
		if len(front) == 0 || scores[i].Quality < scores[front[len(front)-1]].Quality || scores[i].same(scores[front[len(front)-1]]) {
			front = append(front, i)
		}
	}
	return front
}

// same reports whether two scores are at the same point of cost and quality.
func (s Score) same(o Score) bool { return s.Cost == o.Cost && s.Quality == o.Quality }
