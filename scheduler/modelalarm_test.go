package scheduler_test

import "time"

// modelAlarm is the timer of the model for idle workers.
type modelAlarm struct {
	at       time.Time // next check of idle workers; zero if there is none
	keptAt   time.Time // when Demand last kept workers that could have expired
	patience time.Duration
	started  uint64 // items that had started then
}

func (a *modelAlarm) due(now time.Time) bool { return !a.at.IsZero() && !a.at.After(now) }

func (a *modelAlarm) set(at time.Time) {
	if a.at.IsZero() || at.Before(a.at) {
		a.at = at
	}
}

// watch sets the alarm for the worker that has been idle for the longest time, but not to a
// time at which Demand has just kept it.
func (m *model) watch() {
	if m.workers() > m.min && len(m.idle) > 0 {
		at := m.idle[0].Add(m.timeout)
		if kept := m.keptUntil(); at.Before(kept) {
			at = kept
		}
		m.alarm.set(at)
	}
}

func (m *model) keptUntil() time.Time {
	wait := m.alarm.patience
	if m.alarm.started != m.count.Started {
		wait = min(wait, m.timeout)
	}
	return m.alarm.keptAt.Add(wait)
}

// pass advances the time.
func (m *model) pass(d time.Duration) {
	if m.paused {
		m.stood += d
	}
	end := m.now.Add(d)
	for m.alarm.due(end) {
		m.now = m.alarm.at
		m.ring()
	}
	m.now = end
}

// ring dismisses workers that have been idle for the timeout and that neither the minimum
// nor Demand keeps. While no item starts, it leaves twice as much time before it asks again.
func (m *model) ring() {
	m.alarm.at = time.Time{}
	if expired := m.expired(); expired > 0 {
		keep := m.target(m.queued() + m.blocked())
		if n := min(expired, m.workers()-max(m.min, keep)); n > 0 {
			m.idle = m.idle[n:]
		}
	}
	if m.expired() == 0 {
		m.watch()
		return
	}
	if !m.now.Before(m.keptUntil()) {
		patience := 2 * m.alarm.patience
		if m.alarm.started != m.count.Started {
			patience = 0
		}
		m.alarm.keptAt, m.alarm.started, m.alarm.patience = m.now, m.count.Started, max(m.timeout, min(patience, time.Minute))
	}
	m.alarm.set(m.keptUntil())
}

func (m *model) expired() int {
	n := 0
	for n < len(m.idle) && n < m.workers()-m.min && m.now.Sub(m.idle[n]) >= m.timeout {
		n++
	}
	return n
}
