package dashboard

import (
	"cmp"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// upcomingRuns is the number of runs that are told in advance.
const upcomingRuns = 5

// mostSchedules bounds the schedules of an answer.
const mostSchedules = 500

// scheduleRow is the row of a schedule.
type scheduleRow struct {
	Name     string    `json:"name"`
	ID       *string   `json:"id,omitempty"`
	Label    string    `json:"label"`
	Times    string    `json:"times"`
	Next     float64   `json:"next"`
	Upcoming []float64 `json:"upcoming"`
	Skipped  int       `json:"skipped"`
	Paused   bool      `json:"paused"`
	Running  bool      `json:"running"`
	Last     *lastRun  `json:"last"`
}

// lastRun is how the last run of a schedule ended.
type lastRun struct {
	Outcome observe.Outcome `json:"outcome"`
	At      float64         `json:"at"`
	Error   string          `json:"error,omitempty"`
}

// schedulesAnswer has the schedules that have not ended.
type schedulesAnswer struct {
	Schedules []scheduleRow `json:"schedules"`
}

func (d *Dashboard) schedules(x *managed) schedulesAnswer {
	answer := schedulesAnswer{[]scheduleRow{}}
	until := time.Now().Add(askingTime)
	for s := range x.m.Schedules() {
		if answer.Schedules = append(answer.Schedules, x.scheduleRow(s, d.labels[s], until)); len(answer.Schedules) == mostSchedules {
			break
		}
	}
	return answer
}

// scheduleRow returns the row of a schedule, which is shown under its name if the label is empty.
func (x *managed) scheduleRow(s *taskmanager.Schedule, label string, until time.Time) scheduleRow {
	_, running := x.m.Lookup(s.Name())
	row := scheduleRow{
		Times: text.Line(s.String(), text.NameLimit), Next: -1, Upcoming: []float64{},
		Skipped: s.Skipped(), Paused: s.Paused(), Running: running,
	}
	row.Name, row.ID = shownName(s.Name())
	row.Label = cmp.Or(text.Line(label, text.NameLimit), row.Name)
	if at := s.Next(); !at.IsZero() {
		row.Next = unix(at)
	}
	// The timetable and the error are foreign code.
	type told struct {
		upcoming []time.Time
		last     *lastRun
	}
	t, _ := ask(&x.asker, weak.Make(s), until, func() (t told) {
		if last, ok := s.LastRun(); ok {
			t.last = &lastRun{last.Outcome, unix(last.EndedAt), errorText(last.LastError)}
		}
		t.upcoming = s.Upcoming(upcomingRuns)
		return t
	})
	row.Last = t.last
	for _, at := range t.upcoming {
		row.Upcoming = append(row.Upcoming, unix(at))
	}
	return row
}
