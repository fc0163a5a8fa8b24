package taskmanager

import "time"

// RestartTimes are the times of the restarts of a task, for [restart.Failure.Recent].
type RestartTimes struct{ retry }

// Add adds a restart.
func (r *RestartTimes) Add(t time.Duration) { r.recent = append(r.recent, t) }

// Since forgets the restarts up to t and returns the number of later ones.
func (r *RestartTimes) Since(t time.Duration) int { return r.sinceLocked(t) }

// Last returns the place of the last restart in memory.
func (r *RestartTimes) Last() *time.Duration { return &r.recent[len(r.recent)-1] }

// Room returns the number of restarts for which there is room.
func (r *RestartTimes) Room() int { return cap(r.recent) }
