package taskmanager

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed56799101/taskmanager/internal/capacity"
	"github.com/seed56799101/taskmanager/internal/cause"
)

// WithLinkedContext makes the task end when the context of its submit ends. The error of
// the task then matches [ErrCancelled] and wraps the reason why the context ended.
//
// Without this option, the end of that context has no effect on a task once it is
// submitted: background work continues after the request that started it, and a task that
// was silently cancelled with its request would be hard to notice. Use the option for
// tasks that are part of the request. The tasks of a [Group] are always linked to the
// context of the group.
//
// The link works like a derived context: once the function that cancels the submit's
// context has returned, the task does not start any more, and the context of a running task
// has ended, with the same error and cause. The context of the task does not show the
// deadline of the linked context, but ends with it.
func WithLinkedContext() TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.linked = true
		return nil
	})
}

// links are the contexts to which outstanding tasks and schedules of a manager are linked.
// Contexts that share a Done channel share a link: if 200,000 tasks are linked to one
// context, its end starts one goroutine, which ends the tasks one after another. A link
// exists while a task or a schedule needs it.
//
// A link is not what keeps a task from starting after the end of its context: the task
// checks that itself; see [Handle.heed]. The goroutine ends the tasks that wait.
type links struct {
	mu     sync.Mutex // guards all links too; no method of a context is called under it
	byDone capacity.Map[<-chan struct{}, *link]
}

// linked is a task or a schedule. If the context to which it is linked has ended, heed ends
// it.
type linked interface{ heed() }

// link connects tasks and schedules to a context.
type link struct {
	context.Context // ends when the linked context does, at the same moment
	cancel          context.CancelCauseFunc
	done            <-chan struct{} // of the linked context
	unwatch         func() bool     // nil: the watch has not begun
	members         map[linked]struct{}
}

// join links a task or a schedule to ctx, until leave. It returns nil if ctx cannot end. The
// end of ctx may call heed before join returns.
func (s *links) join(ctx context.Context, member linked) *link {
	done := ctx.Done()
	if done == nil {
		return nil
	}
	if l := s.find(member, done, nil); l != nil {
		return l
	}
	made := &link{done: done, members: make(map[linked]struct{})}
	made.Context, made.cancel = context.WithCancelCause(ctx)
	l := s.find(member, done, made)
	if l != made { // another member was first
		made.cancel(nil)
		return l
	}
	unwatch := context.AfterFunc(l.Context, func() { s.end(l) })
	s.mu.Lock()
	l.unwatch = unwatch
	s.mu.Unlock()
	return l
}

// find adds a member to the link of the given channel and returns the link. If there is
// none, made becomes that link, unless it is nil.
func (s *links) find(member linked, done <-chan struct{}, made *link) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.byDone.Get(done)
	if l == nil {
		if made == nil {
			return nil
		}
		l = made
		s.byDone.Set(done, made)
	}
	l.members[member] = struct{}{}
	return l
}

// leave ends what join began. The last member to leave removes the link from the context. A
// nil link has no members.
func (s *links) leave(member linked, l *link) {
	if l == nil {
		return
	}
	s.mu.Lock()
	delete(l.members, member)
	last, unwatch := s.byDone.Get(l.done) == l && len(l.members) == 0, l.unwatch
	if last {
		s.byDone.Delete(l.done)
	}
	s.mu.Unlock()
	if !last {
		return
	}
	if unwatch != nil {
		unwatch()
	}
	l.cancel(nil)
}

// end ends the members of a link whose context has ended.
func (s *links) end(l *link) {
	s.mu.Lock()
	if s.byDone.Get(l.done) == l {
		s.byDone.Delete(l.done)
	}
	members := l.members
	l.members = nil // a member that leaves from now on has nothing to remove
	s.mu.Unlock()
	for member := range members {
		member.heed()
	}
}

// link links a task that is being submitted to ctx. The state of the task is admitting, so no
// other goroutine uses its context or ends it.
func (m *TaskManager) link(ctx context.Context, h *Handle) {
	h.word.Lock()
	h.cfg.linkedTo = ctx
	h.word.Unlock()
	l := m.links.join(ctx, h)
	if l == nil {
		return
	}
	h.firstCtx.Link(l.Context)
	h.word.Lock()
	h.cfg.link = l
	h.word.Unlock()
}

// heed cancels the task if the context to which it is linked has ended. The goroutine that
// the end of a context starts may come late, so what must not happen after the end calls
// heed first: the begin of an execution, and the decision about a restart.
func (h *Handle) heed() {
	if !h.word.Special() || !h.cfg.linked {
		return
	}
	h.word.Lock()
	ctx, w := h.cfg.linkedTo, h.cfg.watcher
	h.word.Unlock()
	if ctx == nil || ctx.Err() == nil {
		return
	}
	if g, ok := w.(*taskGroup); ok {
		h.m.cancel(h, g.contextEnded())
		return
	}
	h.m.cancel(h, fmt.Errorf("%w: %w", ErrCancelled, bare(cause.Of(ctx))))
}
