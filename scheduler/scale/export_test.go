package scale

// ErlangC returns the probability that an arrival waits in an M/M/c queue with c servers
// and an offered load of a, which must be less than c. It computes it as TargetWait does.
func ErlangC(c int, a float64) float64 {
	e := newErlang()
	for range c {
		e.addServer(a)
	}
	return e.waits(a)
}
