package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// measurement is what was measured once, between two measurements of the transfer time.
type measurement struct {
	contest.Measure

	Round         int `json:"-"` // measurements of the same round can be compared
	Before, After yardstick.Transfer
}

// watch measures the transfer time between measurements.
type watch struct{ last yardstick.Transfer }

func newWatch() *watch { return &watch{yardstick.MeasureTransfer()} }

// measure calls f. The transfer time after one call is that before the next.
func (w *watch) measure(round int, f func() (contest.Measure, error)) (m measurement, err error) {
	m.Round, m.Before = round, w.last
	m.Measure, err = f()
	w.last = yardstick.MeasureTransfer()
	m.After = w.last
	return m, err
}

// watchOthers measures the share of the processors that other programs, or other guests of the
// host, use until the function that it returns is called. It is -1 if the system does not tell.
func watchOthers() (share func() float64) {
	busy, all, ours, ok := usage()
	return func() float64 {
		b, a, o, still := usage()
		if !ok || !still || a == all {
			return -1
		}
		return max(0, float64(b-busy-(o-ours))/float64(a-all))
	}
}

// state returns the state of the machine during the measurement. It is unknown if the state
// changed.
func (m measurement) state() yardstick.State {
	if m.Before.State != m.After.State {
		return yardstick.Unknown
	}
	return cmp.Or(m.Before.State, yardstick.Unknown)
}

// comparable reports whether the state was the same during both measurements. If it is never
// known, they are compared all the same.
func (m measurement) comparable(n measurement) bool {
	return m.Before.State == m.After.State && m.After.State == n.Before.State && n.Before.State == n.After.State
}

// states counts measurements by state.
func states(entries []entry) map[yardstick.State]int {
	n := make(map[yardstick.State]int)
	for _, e := range entries {
		for _, m := range e.Rounds {
			n[m.state()]++
		}
	}
	return n
}

// enough reports whether no further rounds are necessary: each contender has n measurements in
// a known state, or the state is never known.
func enough(entries []entry, n int) bool {
	known := func(e entry) bool {
		count := states([]entry{e})
		return count[yardstick.Near]+count[yardstick.Far] >= n
	}
	return !slices.ContainsFunc(entries, func(e entry) bool { return !known(e) }) ||
		states(entries)[yardstick.Unknown] == len(entries)*len(entries[0].Rounds)
}

// view is the part of a table that was measured in one state. If no state has enough
// measurements, there is only a view of all of them, whose state is unknown.
type view struct {
	table

	state yardstick.State
}

// views returns the views of a table, that with most measurements first. In the view of a
// state each contender has five measurements, or half of them if there are fewer than ten.
func (t table) views() (views []view) {
	least := min(5, (len(t.Entries[0].Rounds)+1)/2)
	count := states(t.Entries)
	for _, s := range []yardstick.State{yardstick.Far, yardstick.Near} {
		v := view{t, s}
		v.Entries = nil
		complete := true
		for _, e := range t.Entries {
			part := e
			part.Rounds = nil
			for _, m := range e.Rounds {
				if m.state() == s {
					part.Rounds = append(part.Rounds, m)
				}
			}
			complete = complete && len(part.Rounds) >= least
			v.Entries = append(v.Entries, part)
		}
		if complete {
			views = append(views, v)
		}
	}
	if len(views) == 0 {
		return []view{{t, yardstick.Unknown}}
	}
	slices.SortStableFunc(views, func(a, b view) int { return cmp.Compare(count[b.state], count[a.state]) })
	return views
}

// transfers describes the transfer times around the measurements of a view.
func (v view) transfers() string {
	var times []float64
	least, most := len(v.Entries[0].Rounds), 0
	for _, e := range v.Entries {
		least, most = min(least, len(e.Rounds)), max(most, len(e.Rounds))
		for _, m := range e.Rounds {
			times = append(times, m.Before.Nanoseconds, m.After.Nanoseconds)
		}
	}
	slices.Sort(times)
	rounds := fmt.Sprint(most)
	if least < most {
		rounds = fmt.Sprintf("%d to %d", least, most)
	}
	n := len(times)
	return fmt.Sprintf("%s, transfer time %.0f ns (middle half %.0f to %.0f), %s rounds",
		v.state, times[n/2], times[n/4], times[n-1-n/4], rounds)
}

// condition describes the state of the machine during the measurements of a table.
func (t table) condition() string {
	text := t.stateDuring()
	if t.Others != nil && *t.Others >= 0 {
		text += fmt.Sprintf(" Other programs used %.0f %% of the processors.", 100*(*t.Others))
	}
	return text
}

// stateDuring describes how far apart the processors were.
func (t table) stateDuring() string {
	count, views := states(t.Entries), t.views()
	all := count[yardstick.Far] + count[yardstick.Near] + count[yardstick.Unknown]
	rounds := len(t.Entries[0].Rounds)
	share := func(n int) float64 { return 100 * float64(n) / float64(all) }
	switch {
	case count[yardstick.Unknown] == all:
		return fmt.Sprintf("Rounds: %d. The transfer time is unknown.", rounds)
	case views[0].state == yardstick.Unknown:
		return fmt.Sprintf("Rounds: %d. **The state varied:** far in %.0f %% of the measurements, near in %.0f %%, unknown or changing in %.0f %%. "+
			"Figures of different rows are comparable only if their states are the same.",
			rounds, share(count[yardstick.Far]), share(count[yardstick.Near]), share(count[yardstick.Unknown]))
	}
	text, used := "State: ", 0
	for i, v := range views {
		if i > 0 {
			text += "; "
		}
		text += v.transfers()
		used += count[v.state]
	}
	if used < all {
		text += fmt.Sprintf(". Left out: %.0f %% of the measurements, in another state or while it changed", share(all-used))
	}
	return text + "."
}

// varied reports whether the figures of a table are those of different states.
func (t table) varied() bool {
	return len(states(t.Entries)) > 1 && t.views()[0].state == yardstick.Unknown
}

// name returns the state of a view, or varied.
func (v view) name() string {
	if v.varied() {
		return "varied"
	}
	return v.state.String()
}

// stateList lists the states in which a contender was measured.
func (e entry) stateList() string {
	text, count := "", states([]entry{e})
	for _, s := range []yardstick.State{yardstick.Far, yardstick.Near, yardstick.Unknown} {
		switch n := count[s]; {
		case n == 0:
		case len(count) == 1:
			return s.String()
		case text != "":
			text += fmt.Sprintf(", %v %d", s, n)
		default:
			text = fmt.Sprintf("%v %d", s, n)
		}
	}
	return text
}
