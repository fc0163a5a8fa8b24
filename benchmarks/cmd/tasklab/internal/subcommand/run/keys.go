package run

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

// KeyReport is the result for one key, that is one top-level folder.
type KeyReport struct {
	Key string `json:"key"`
	measure.Tally
	BytesShare   float64 `json:"bytes_share"`
	QueueWaitP50 float64 `json:"queue_wait_p50_ms"`
	QueueWaitP99 float64 `json:"queue_wait_p99_ms"`

	waits []time.Duration // ascending
}

// keyReports returns the reports of all keys, sorted by name. The bytes are those
// of the whole run.
func keyReports(keys map[string]*keyResult, bytes int64) []KeyReport {
	reports := []KeyReport{} // never null in JSON
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		reports = append(reports, newKeyReport(key, *keys[key], bytes))
	}
	return reports
}

func newKeyReport(key string, r keyResult, bytes int64) KeyReport {
	slices.Sort(r.waits)
	return KeyReport{
		Key:          key,
		Tally:        r.Tally,
		BytesShare:   float64(r.Bytes) / float64(max(1, bytes)),
		QueueWaitP50: measure.Milliseconds(nearestRank(r.waits, 50)),
		QueueWaitP99: measure.Milliseconds(nearestRank(r.waits, 99)),
		waits:        r.waits,
	}
}

// nearestRank returns the least value that at least p percent of the values do
// not exceed, or 0 if there are no values.
func nearestRank(ascending []time.Duration, p int) time.Duration {
	if len(ascending) == 0 {
		return 0
	}
	return ascending[(len(ascending)*p+99)/100-1]
}

// largest returns the n keys with the most files, largest first, and the sum of
// the others.
func (r Report) largest(n int) (first []KeyReport, others KeyReport) {
	keys := slices.Clone(r.Keys)
	slices.SortStableFunc(keys, func(a, b KeyReport) int { return cmp.Compare(b.Found, a.Found) })
	n = min(n, len(keys))
	var rest keyResult
	for _, k := range keys[n:] {
		rest.Add(k.Tally)
		rest.waits = append(rest.waits, k.waits...)
	}
	return keys[:n], newKeyReport("", rest, r.Bytes)
}
