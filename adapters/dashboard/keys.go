package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
)

// The window over which keys are compared: a minute and up to a step more.
const (
	windowStep  = 10 * time.Second
	windowSteps = 6
)

// keyWindow keeps the numbers by key of the last minute. It is safe for concurrent use.
type keyWindow struct {
	mu    sync.Mutex // guards the rest
	marks []keyMark  // the oldest one first
}

// keyMark are the numbers by key at some time.
type keyMark struct {
	at   time.Time
	keys map[int]*sums
}

// due reports whether it is time for the next mark.
func (w *keyWindow) due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return now.Sub(w.marks[len(w.marks)-1].at) >= windowStep
}

// add adds a mark. Keys that have not changed share their numbers with the mark before.
func (w *keyWindow) add(at time.Time, list []named) {
	keys := make(map[int]*sums, len(list))
	for _, k := range list {
		keys[k.index] = k.sums
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.marks); n > 0 {
		for i, before := range w.marks[n-1].keys {
			if now := keys[i]; now != nil && *now == *before {
				keys[i] = before
			}
		}
	}
	if len(w.marks) > windowSteps {
		w.marks = slices.Delete(w.marks, 0, 1)
	}
	w.marks = append(w.marks, keyMark{at, keys})
}

// windowTime is the age from which a mark is not in the window. A mark may be late.
const windowTime = (windowSteps+1)*windowStep + 2*fineStep

// oldest returns the numbers at the begin of the window, or false if there were no marks lately because the
// sampling has ended.
func (w *keyWindow) oldest(now time.Time) (keys map[int]*sums, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, mark := range w.marks {
		if now.Sub(mark.at) <= windowTime {
			return mark.keys, true
		}
	}
	return nil, false
}

// keyRow is the row of a key.
type keyRow struct {
	Key       string                `json:"key"`
	Weight    int                   `json:"weight"`
	Running   uint64                `json:"running"`
	Started   uint64                `json:"started"`
	Succeeded uint64                `json:"succeeded"`
	Failed    uint64                `json:"failed"`
	Share     float64               `json:"share"`
	Deserved  float64               `json:"deserved"`
	Wait      histogram.Percentiles `json:"wait"`
	Run       histogram.Percentiles `json:"run"`
}

// keysAnswer is the answer to a request of the keys.
type keysAnswer struct {
	Available bool     `json:"available"`
	Fair      bool     `json:"fair"`
	Keys      []keyRow `json:"keys"`
}

// getKeys answers with the numbers of each key, that with the longest waits first. The percentiles and
// the shares are those of the last minute.
func (x *managed) getKeys(url.Values) (any, error) {
	until := time.Now().Add(askingTime)
	fair := x.fair(until)
	answer := keysAnswer{Available: x.collector != nil, Fair: fair, Keys: []keyRow{}}
	if x.collector == nil {
		return answer, nil
	}
	now := x.collector.byKey()
	before, known := x.keys.oldest(time.Now())
	var busy time.Duration // of all keys in the window
	var weights float64    // of those that were active
	lately, weightOf := make([]sums, len(now)), make([]int, len(now))
	for i, k := range now {
		if known {
			lately[i] = k.since(cmp.Or(before[k.index], new(sums)))
		}
		busy += lately[i].busy
		if weightOf[i] = -1; fair && !k.other() {
			weightOf[i] = x.weight(k.name, until)
		}
		if lately[i].active() {
			weights += float64(max(weightOf[i], 0))
		}
	}
	for i, k := range now {
		row := rowOfKey(k, &lately[i], busy, weightOf[i], weights)
		if !known {
			row.Share, row.Deserved = -1, -1
		}
		answer.Keys = append(answer.Keys, row)
	}
	slices.SortStableFunc(answer.Keys, func(a, b keyRow) int {
		return cmp.Or(cmp.Compare(b.Wait[1], a.Wait[1]), cmp.Compare(b.Share, a.Share))
	})
	if len(answer.Keys) == 1 && answer.Keys[0].Key == "" { // no task has a key
		answer.Keys = answer.Keys[:0]
	}
	return answer, nil
}

// active reports whether a key ran something in the window.
func (s *sums) active() bool { return s.started > 0 || s.running > 0 || s.executions.Total() > 0 }

// rowOfKey returns the row of a key, whose weight is -1 if it is unknown. busy and weights are the sums over all
// keys.
func rowOfKey(k named, lately *sums, busy time.Duration, weight int, weights float64) keyRow {
	r := keyRow{
		Key: text.Line(k.name, text.NameLimit), Weight: weight, Deserved: -1,
		Running: k.running, Started: k.started, Succeeded: k.succeeded(), Failed: k.failed,
		Wait: lately.waits.Percentiles(), Run: lately.executions.Percentiles(),
	}
	if busy > 0 {
		r.Share = min(max(lately.busy.Seconds()/busy.Seconds(), 0), 1)
	}
	if weight > 0 {
		r.Deserved = 0
		if lately.active() {
			r.Deserved = float64(weight) / weights
		}
	}
	return r
}
