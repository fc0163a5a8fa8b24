package taskmanager

// Next returns at most n tasks that wait for a worker, in the order in which the discipline would start them
// if nothing else happened. It leaves out tasks that the limits of [LimitByKey], [LimitBy] or [Resources] hold
// back, tasks that are not due yet, and those that wait for room in the queue; n above 1000 means 1000.
// It reports false if the discipline is [Custom] with a queue that does not implement queue.Previewer.
//
// Under [Fair], a task that was cancelled and is still in the queue may move those of its key: they run earlier
// by its cost when its turn comes. Next takes time in proportion to n, not to the number of tasks. It is for displays: when it returns, the
// tasks may have started, and others may have come before them.
func (m *TaskManager) Next(n int) (tasks []*Handle, ok bool) { return m.pool.Next(n) }

// Weight returns the weight of a key under [Fair], also inside limits, and false under other disciplines. It
// calls the weight function of the discipline. The weight is 0 if that panics or returns one that is not
// positive: a submit with the key would fail.
func (m *TaskManager) Weight(key string) (weight int, ok bool) {
	if !m.queue.fair {
		return 0, false
	}
	if m.queue.weight == nil {
		return 1, true
	}
	err := guarded(func() error {
		weight = m.queue.weight(key)
		return nil
	})
	if err != nil || weight < 1 {
		return 0, true
	}
	return weight, true
}
