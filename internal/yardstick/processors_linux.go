package yardstick

import "golang.org/x/sys/unix"

// runOn lets the calling thread run only on the first processor that the process may use, or on
// the last one. Otherwise two threads that take turns often share one, on a machine with other
// work. It does nothing if the system refuses.
func runOn(last bool) {
	var allowed, one unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		return
	}
	left := 1
	if last {
		left = allowed.Count()
	}
	for cpu := 0; left > 0; cpu++ {
		if allowed.IsSet(cpu) {
			left--
			one.Zero()
			one.Set(cpu)
		}
	}
	_ = unix.SchedSetaffinity(0, &one) // without it the result is less often known
}
