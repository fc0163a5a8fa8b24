package nats

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPulseIsNeverTooFast lets a server send signs of life, which may stand still at any moment, and a worker conclude
// when each was sent at the earliest. The worker also has floors from elsewhere.
func TestPulseIsNeverTooFast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const every = 100 * time.Millisecond
		delay := func(what string) time.Duration { // mostly short
			most := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 20 * time.Millisecond, time.Second}).Draw(rt, what+" at most")
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(rt, what))
		}
		asked := time.Now()
		b := pulse{after: asked}
		floor, arrived := asked, asked
		decided := asked.Add(delay("the way of the request")) // when the server decided to send the last one
		sent := decided
		for range 30 {
			due := decided.Add(every)
			decided = later(due, sent).Add(delay("the server is late"))
			sent = decided.Add(delay("from the decision to the message"))
			arrived = later(arrived, sent).Add(delay("the way of the message"))
			if rapid.Bool().Draw(rt, "echo") { // which proves any time up to then
				floor = later(floor, sent.Add(-delay("the age of the echo")))
			}
			got := b.beat(every, floor, arrived)
			if got.After(sent) {
				rt.Fatalf("a sign of life that was sent after %v counts as sent after %v", sent.Sub(asked), got.Sub(asked))
			}
			floor = later(floor, got)
		}
	})
}

// TestPulseLags compares the floor with the time at which signs of life come from a server that is a little late each time.
func TestPulseLags(t *testing.T) {
	const every, late = 100 * time.Millisecond, time.Millisecond
	now := time.Now()
	b := pulse{after: now}
	floor := now
	for range pulseBeats {
		now = now.Add(every + late)
		floor = later(floor, b.beat(every, floor, now))
	}
	if age := now.Sub(floor); age != pulseBeats*late {
		t.Errorf("the floor is %v old, want %v", age, pulseBeats*late)
	}
}
