package nats

import (
	"testing"

	"pgregory.net/rapid"
)

// TestCrashesAreCounted follows a task through deliveries that crash, are given back, or are
// forgotten because the consumer is made again or the server was killed, and compares with the real number of crashes.
func TestCrashesAreCounted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delayed := rapid.Bool().Draw(rt, "delayed")
		remakes := rapid.Bool().Draw(rt, "remakes")
		var h history
		delivered, crashes, attempts, first := uint64(0), 0, 0, true
		for range rapid.IntRange(1, 30).Draw(rt, "deliveries") {
			delivered++
			if first && delayed {
				first = false
				continue // given back before it is due, without a record
			}
			seen := h.account(delivered, delayed)
			if h.wentBack(delivered) {
				h = seen // stored at once
			}
			if remakes && seen.Crashes > crashes {
				rt.Fatalf("delivery %d: %d crashes were found, and there were %d", delivered, seen.Crashes, crashes)
			}
			if !remakes && (seen.Crashes != crashes || seen.State.Attempts != attempts) {
				rt.Fatalf("delivery %d: %d crashes and %d attempts were found, want %d and %d", delivered, seen.Crashes, seen.State.Attempts, crashes, attempts)
			}
			switch rapid.SampledFrom([]string{"crash", "give back", "fail", "remake", "forget"}).Draw(rt, "end") {
			case "crash":
				crashes++
				attempts++
			case "give back":
				h = seen
			case "fail":
				h = seen
				h.Crashes, crashes = 0, 0
				h.State.Attempts++
				attempts++
			case "remake":
				h = seen
				if remakes {
					delivered = 0
				}
			case "forget":
				h = seen
				if remakes {
					delivered -= min(delivered, rapid.Uint64Range(0, 3).Draw(rt, "forgotten"))
				}
			}
		}
		// A task that does nothing but crash is found out soon, whatever was before.
		const row = 10
		found := h.Crashes
		for range row {
			delivered++
			if seen := h.account(delivered, delayed); h.wentBack(delivered) {
				h, found = seen, seen.Crashes
			} else {
				found = seen.Crashes
			}
		}
		if least := h.Crashes + row - 3; found < least {
			rt.Fatalf("after %d crashes in a row %d were found, want at least %d", row, found, least)
		}
	})
}
