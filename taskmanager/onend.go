package taskmanager

// WithOnEnd calls f when the task has ended. [Handle.Done] is closed then, the name is free, and
// [Handle.Err] is final. f is called exactly once for each task that was accepted, also if the task
// never ran, and never for a submit that returned an error, or whose request another task serves: of
// the handle that a submit with [WithRerun] returns, [Handle.Done] tells the end in any case. If the
// option is given several times, all functions are called, in the given order. [TaskManager.SubmitAll]
// calls f for each of its tasks, and a [Schedule] for each run.
//
// f is called on the goroutine that ended the task, which is as a rule that of the worker. It may
// also be that of a call of the manager, such as [Handle.Cancel] or the submit, which may then
// return after f, or that of the manager's timer. So f holds up that goroutine. It should return
// soon, and must not wait for tasks, for room or for the end of the manager. It may submit tasks,
// also one with the same name; [TaskManager.TrySubmit] and [Group.TryGo] never wait. If it submits
// after each end, it must look at the error of the task: under an overflow policy that drops, the
// new task may end at once, and f is then called within the call of f.
//
// [Handle.Wait], [Group.Wait] and [TaskManager.WaitIdle] may return before f has. [TaskManager.Drain]
// and [TaskManager.Stop] wait for f; the error of a Stop that waits in vain names it. A panic in f
// is logged, and affects neither the task nor the manager. f must not call [runtime.Goexit].
func WithOnEnd(f func(h *Handle)) TaskOption {
	return taskOption(func(c *taskConfig) error {
		last := &c.onEnd
		for *last != nil {
			last = &(*last).next
		}
		*last = &onEnd{f: f}
		return fault(f == nil, "taskmanager: WithOnEnd: the function is nil")
	})
}

// onEnd is a list of functions to be called at the end of a task. It does not change after the
// submit, so all runs of a schedule share one.
type onEnd struct {
	f    func(h *Handle)
	next *onEnd
}

// call calls the functions for a task that has ended.
func (c *onEnd) call(h *Handle) {
	for ; c != nil; c = c.next {
		h.m.tell(userCall{what: onEndCall, task: h.name}, func() { c.f(h) })
	}
}
