package nats

import (
	"testing"

	"pgregory.net/rapid"
)

// followed is a task whose deliveries a test follows, next to what a worker stores about it.
type followed struct {
	h         history
	delivered uint64 // the count of the server
	delayed   bool
	permitted int
	crashes   int // in a row, as they should be counted
}

// deliver returns what a worker finds at the next delivery.
func (f *followed) deliver() history {
	f.delivered++
	seen := f.h.account(f.delivered, f.delayed, f.permitted)
	if f.h.wentBack(f.delivered) {
		f.h = seen // stored at once
	}
	return seen
}

// crash ends a delivery with the process of its worker, before the execution or in it.
func (f *followed) crash(seen history, executed bool) {
	if seen.Crashes < mostUnseen(f.permitted) {
		f.crashes++
		return
	}
	if executed {
		f.crashes++
		f.h = seen
		f.h.Alone = true
	}
}

// TestCrashesAreCounted follows a task through deliveries that crash, before it is executed or while it is, are given
// back, or are forgotten because the consumer is made again or the server was killed, and compares with the real number
// of crashes: all count, but the last one only if it was that of an execution.
func TestCrashesAreCounted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		remakes := rapid.Bool().Draw(rt, "remakes")
		f := followed{delayed: rapid.Bool().Draw(rt, "delayed"), permitted: rapid.IntRange(1, 6).Draw(rt, "permitted")}
		if f.delayed {
			f.delivered = 1 // given back before it is due, without a record
		}
		attempts := 0
		for range rapid.IntRange(1, 30).Draw(rt, "deliveries") {
			seen := f.deliver()
			if remakes && seen.Crashes > f.crashes {
				rt.Fatalf("delivery %d: %d crashes were found, and there were %d", f.delivered, seen.Crashes, f.crashes)
			}
			if !remakes && (seen.Crashes != f.crashes || seen.State.Attempts != attempts) {
				rt.Fatalf("delivery %d: %d crashes and %d attempts were found, want %d and %d", f.delivered, seen.Crashes, seen.State.Attempts, f.crashes, attempts)
			}
			if seen.Crashes >= f.permitted {
				return // it is dead
			}
			switch end := rapid.SampledFrom([]string{"crash", "crash before", "give back", "fail", "remake", "forget"}).Draw(rt, "end"); end {
			case "crash", "crash before":
				before := f.crashes
				f.crash(seen, end == "crash")
				attempts += f.crashes - before
			case "give back":
				f.h = seen
			case "fail":
				f.h = seen
				f.h.Crashes, f.crashes = 0, 0
				f.h.State.Attempts++
				attempts++
			case "remake":
				f.h = seen
				if remakes {
					f.delivered = 0
				}
			case "forget":
				f.h = seen
				if remakes {
					f.delivered -= min(f.delivered, rapid.Uint64Range(0, 3).Draw(rt, "forgotten"))
				}
			}
		}
		// A task that does nothing but crash is found out soon, whatever was before.
		for range f.permitted + 3 {
			seen := f.deliver()
			if seen.Crashes >= f.permitted {
				return
			}
			f.crash(seen, true)
		}
		rt.Fatalf("after %d crashes in a row, of which %d are permitted, the task lives", f.permitted+3, f.permitted)
	})
}

// A task that is never executed when its process dies does not die, however often that happens.
func TestBystandersLive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := followed{delayed: rapid.Bool().Draw(rt, "delayed"), permitted: rapid.IntRange(2, 6).Draw(rt, "permitted")}
		for range 20 {
			seen := f.deliver()
			if seen.Crashes >= f.permitted {
				rt.Fatalf("delivery %d: it is dead after %d crashes before it was executed, and %d are permitted", f.delivered, seen.Crashes, f.permitted)
			}
			if rapid.Bool().Draw(rt, "given back") {
				f.h = seen
			} else {
				f.crash(seen, false)
			}
		}
	})
}
