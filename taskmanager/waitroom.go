package taskmanager

import "iter"

// queueRoom is what a task needs while its submit waits for room in a queue that holds back
// tasks: the end of one of the tasks that use up the limit of a key of which a task is queued.
// There are none while the queue holds a task that may start, or that waits for a limited time.
type queueRoom struct{ m *TaskManager }

// waitsForRoom reports whether the submit of a task waits for room in a queue that holds back
// tasks.
func (h *Handle) waitsForRoom() bool {
	h.mu.Lock()
	submitting := h.state == admitting
	h.mu.Unlock()
	return submitting && h.m.blocks && h.m.pool.Blocked(func(x *Handle) bool { return x == h })
}

// blocksSubmitters reports whether a submit waits for room.
func (m *TaskManager) blocksSubmitters() bool {
	return m.blocks && m.pool.Blocked(func(*Handle) bool { return true })
}

func (r queueRoom) manager() *TaskManager { return r.m }
func (r queueRoom) one() bool             { return true }

func (r queueRoom) tasks(*waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		blocked := make(map[*Handle]bool)
		r.m.pool.Blocked(func(h *Handle) bool { blocked[h] = true; return false })
		running := make(map[string][]*Handle)
		for _, w := range r.m.pool.Workers() {
			if w.Busy {
				running[w.Item.Key()] = append(running[w.Item.Key()], w.Item)
			}
		}
		held := make(map[string]bool)
		for h := range r.m.names.All() {
			h.mu.Lock()
			waits, patient := h.state == queued || h.state == admitting && !blocked[h], h.cfg.patient()
			h.mu.Unlock()
			if !waits {
				continue
			}
			if key := h.Key(); !patient || h.keyLimit() == 0 || len(running[key]) < h.keyLimit() {
				return
			}
			held[h.Key()] = true
		}
		for key, tasks := range running {
			if !held[key] && !r.m.handsOver { // without a queue, room is a worker that is idle
				continue
			}
			for _, h := range tasks {
				if !yield(h) {
					return
				}
			}
		}
	}
}

// patient reports whether the time that a task may wait is unlimited.
func (c *taskConfig) patient() bool {
	return c == nil || c.limits == nil || c.limits.queueTimeout == 0 && c.limits.deadline.IsZero()
}
