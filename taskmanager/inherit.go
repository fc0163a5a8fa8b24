package taskmanager

import "context"

// WithInherit makes a task that another task submits take over the priority, the key and the
// deadline of that task. The other task is the one whose context the submit gets, or a context
// derived from it; without one the option has no effect. A task that waits for what it has
// submitted then does not wait behind tasks that it would overtake itself.
//
// [WithPriority], [WithKey] and [WithDeadline] override what is taken over, and so do the methods
// Priority, Key and Deadline of the task. A Deadline method that returns false does not.
//
// The deadline is taken over as what it is: one from WithDeadline also ends the new task when it
// passes, whatever the Deadline method returns, since its result would come too late for the other
// task; one from [TaskWithDeadline] only affects the order. The end of the other task does not
// end the new one; [WithLinkedContext] does that.
//
// Schedules refuse the option, since they outlive the task that makes them.
func WithInherit() TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.inherits = true
		return nil
	})
}

// inherit takes over the attributes of the task whose context ctx is, unless options have set
// them. Methods of the task may still replace them.
func (c *taskConfig) inherit(ctx context.Context) {
	parent := ownerOf(ctx)
	if !c.inherits || parent == nil {
		return
	}
	a := parent.attributes() // constant since its submit
	if c.given&priorityAttribute == 0 {
		c.priority = a.priority
	}
	if c.given&keyAttribute == 0 {
		c.key = a.key
	}
	if c.given&deadlineAttribute == 0 {
		c.deadline = a.deadline
		if p := parent.cfg; p != nil && p.limits != nil && !p.limits.deadline.IsZero() {
			c.limit().deadline = p.limits.deadline
		}
	}
}
