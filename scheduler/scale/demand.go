package scale

// Fixed returns a scaler that always asks for n workers. An n below 1 means the maximum
// of the pool.
func Fixed(n int) Scaler[Snapshot] { return fixed(n) }

type fixed int

func (f fixed) NeedsTime() bool { return false }

func (f fixed) Scale(s Snapshot) Decision {
	if f < 1 {
		return Decision{Target: s.Max, Reason: "fixed at the maximum"}
	}
	return Decision{Target: s.Bound(int(f)), Reason: "fixed"}
}

// Demand returns a scaler that asks for one worker per running item and one per backlog
// waiting items: busy + ⌈waiting/backlog⌉. Items that wait in the queue and items that
// wait for room in it both count as waiting. Items that an idle worker is about to take
// count as running.
//
// With a backlog of 1, the default of a pool, an item that finds no idle worker gets a
// new one at once. A backlog below 1 counts as 1.
func Demand(backlog int) Scaler[Snapshot] { return demand(max(backlog, 1)) }

type demand int

func (d demand) NeedsTime() bool { return false }

func (d demand) Scale(s Snapshot) Decision {
	// Without this the target would depend on how soon woken workers reach the queue.
	// With a backlog above 1 the last items could then be left without a worker, since
	// the pool does not ask again.
	taken := min(s.waiting(), max(s.Workers-s.Busy, 0))
	return Decision{Target: s.Bound(s.Busy + taken + ceilDiv(s.waiting()-taken, int(d))), Reason: "demand"}
}

// ceilDiv returns ⌈a/b⌉ for a ≥ 0 and b > 0. It does not overflow.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
