package taskmanager

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// RestartOption is an option of a manager and of a task.
type RestartOption interface {
	Option
	TaskOption
}

// WithRestart sets the policy that decides whether and when a failed task restarts.
//
// As an option of a manager it applies to tasks that implement [RestartableTask], after
// their Restart method has returned true. The default is [restart.Default]. As an option
// of a submit it applies to that task, which then restarts even if it is a function or
// has no Restart method; in that case the policy alone decides.
func WithRestart(p restart.Policy) RestartOption { return restartOption{p} }

// WithRestartPlain makes tasks without a Restart method restart too, including functions.
// The policy alone decides.
func WithRestartPlain() Option {
	return option{name: "WithRestartPlain", set: func(c *config) { c.plain = true }}
}

// WithRand sets the source of randomness for restart policies and [WithJitter], so that a run
// can be repeated. The source need not be safe for concurrent use, but the program must not use
// it for anything else, and it must not call [runtime.Goexit]. The default is the global source of math/rand/v2.
func WithRand(source rand.Source) Option {
	return option{
		name:  "WithRand",
		set:   func(c *config) { c.rand = source },
		fault: fault(source == nil, "the source is nil; rand.NewPCG makes one"),
	}
}

// lockedSource makes a source of randomness safe for concurrent use. A nil source stands
// for the global one, which needs no lock.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

// Uint64 implements [rand.Source].
func (s *lockedSource) Uint64() uint64 {
	if s.source == nil {
		return rand.Uint64()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}

type restartOption struct{ policy restart.Policy }

func (o restartOption) apply(c *config) error {
	rule, err := newRestartRule(o.policy)
	return option{name: "WithRestart", set: func(c *config) { c.restart = rule }, fault: err}.apply(c)
}

func (o restartOption) applyTask(c *taskConfig) error {
	rule, err := newRestartRule(o.policy)
	if err != nil {
		return fmt.Errorf("taskmanager: WithRestart: %w", err)
	}
	c.restart = &rule
	return nil
}

// restartRule is a policy, with the answers that it gave when it was set.
type restartRule struct {
	policy  restart.Policy
	forgive time.Duration // an execution this long starts a new row of failures; 0: none does
	window  time.Duration // restarts within it are counted; 0: none are
}

// newRestartRule validates a policy and reads the values that stay the same.
func newRestartRule(p restart.Policy) (rule restartRule, err error) {
	if p == nil {
		return rule, errors.New("the policy is nil; restart.Default() is the default, restart.Never() is none")
	}
	rule.policy = p
	err = guarded(func() error {
		if v, ok := p.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return err
			}
		}
		if r, ok := p.(restart.Resetter); ok {
			rule.forgive = r.ResetAfter()
		}
		if w, ok := p.(restart.Windower); ok {
			rule.window = w.Window()
		}
		return nil
	})
	if _, panicked := errors.AsType[*PanicError](err); panicked {
		err = fmt.Errorf("a method of %T panicked: %w", p, err)
	}
	return rule, err
}

// rule returns the restart rule of the task.
func (h *Handle) rule() restartRule {
	if h.cfg != nil && h.cfg.restart != nil {
		return *h.cfg.restart
	}
	return h.m.restart
}

// restartsPlain reports whether the task restarts if it has no Restart method.
func (h *Handle) restartsPlain() bool { return h.m.plain || h.cfg != nil && h.cfg.restart != nil }

// failure describes the end of an execution with err to the restart policy.
func (m *TaskManager) failure(h *Handle, rule restartRule, err error) restart.Failure {
	now := m.now()
	// started does not include granted restarts that still wait, nor postponed executions.
	// They are subtracted all the same, so Starts is too low for a while. Otherwise waiting
	// restarts would count as starts, and add to the budget that restarts draw on.
	restarts, postponed := m.revived.Load(), m.notYets.Load()
	started := m.pool.Snapshot().Started
	h.word.Lock()
	defer h.word.Unlock()
	f := restart.Failure{
		Attempt: 1, Err: err, Now: m.wall(now), Rand: m.rand,
		Starts: started - min(restarts+postponed, started), Restarts: restarts,
	}
	r := h.retryLocked()
	if r == nil {
		return f
	}
	f.Previous = r.previous
	f.Recent = r.sinceLocked(now - rule.window)
	if rule.forgive <= 0 || now-h.startedAt < rule.forgive {
		f.Attempt = r.streak + 1
	}
	return f
}

// beganLocked notes that the current execution begins now. If it is a restart and all workers
// were busy, that may be long after it was due. The lock of h is held.
func (r *retry) beganLocked(now time.Duration) {
	if n := len(r.recent); n > 0 && r.restarting {
		r.recent[n-1] = now
	}
}

// sinceLocked forgets the restarts up to time t and returns the number of later ones. It moves
// none of them: append does that when their array is full, so their memory follows their number.
// The lock of h is held.
func (r *retry) sinceLocked(t time.Duration) int {
	old := 0
	for old < len(r.recent) && r.recent[old] <= t {
		old++
	}
	r.recent = r.recent[old:]
	return len(r.recent)
}
