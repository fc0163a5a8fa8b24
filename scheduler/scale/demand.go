package scale

// Fixed keeps n workers, or as many as the bounds allow. An n below 1 means the
// maximum.
func Fixed(n int) Scaler[Snapshot] { return fixed(n) }

type fixed int

func (f fixed) NeedsTime() bool { return false }

func (f fixed) Scale(s Snapshot) Decision {
	if f < 1 {
		return Decision{Target: s.Max, Reason: "fixed at the maximum"}
	}
	return Decision{Target: s.Bound(int(f)), Reason: "fixed"}
}

// Demand has a worker for each item that runs and one more for each backlog items
// that wait, queued or for room: busy + ⌈waiting/backlog⌉. Items that an idle worker
// is about to take count as running. With a backlog of 1, the default of a pool, an
// item that finds no idle worker gets a new one at once. A backlog below 1 counts
// as 1.
func Demand(backlog int) Scaler[Snapshot] { return demand(max(backlog, 1)) }

type demand int

func (d demand) NeedsTime() bool { return false }

func (d demand) Scale(s Snapshot) Decision {
	// Or the answer would depend on how far idle workers are on their way, and might
	// leave the last items to nobody, as nobody asks again.
	taken := min(s.waiting(), max(s.Workers-s.Busy, 0))
	return Decision{Target: s.Bound(s.Busy + taken + ceilDiv(s.waiting()-taken, int(d))), Reason: "demand"}
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0, without overflow.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
