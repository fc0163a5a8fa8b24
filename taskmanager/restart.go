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

// WithRestart sets when a task that failed runs again.
//
// Given to a manager, it is for the tasks that implement RestartableTask and say
// that they want to. The default is restart.Default. Given to a submit,
// it is for that task, which then restarts also if it is a function or has no
// Restart method: the policy alone decides.
func WithRestart(p restart.Policy) RestartOption { return restartOption{p} }

// WithRestartPlain makes all tasks of the manager restart that have no Restart
// method to be asked, functions included: the policy alone decides.
func WithRestartPlain() Option {
	return option{name: "WithRestartPlain", set: func(c *config) { c.plain = true }}
}

// WithRand sets the source of randomness that restart policies are given, so that
// a run can be repeated. It need not be safe for concurrent use, and must be used
// by nobody else. The default is that of the global functions of math/rand/v2.
func WithRand(source rand.Source) Option {
	return option{
		name:  "WithRand",
		set:   func(c *config) { c.rand = source },
		fault: fault(source == nil, "the source is nil; rand.NewPCG makes one"),
	}
}

// lockedSource makes a source of randomness safe for concurrent use; nil is that
// of the global functions, which is.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

// Uint64 is rand.Source.
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

// restartRule is a policy and what it was asked in advance.
type restartRule struct {
	policy  restart.Policy
	forgive time.Duration // a run of this length begins a new row of failures; 0: none does
	window  time.Duration // for which it wants to know the restarts; 0: it does not
}

// newRestartRule asks a policy what has to be known in advance.
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

// rule is the rule by which the task restarts.
func (h *Handle) rule() restartRule {
	if h.cfg != nil && h.cfg.restart != nil {
		return *h.cfg.restart
	}
	return h.m.restart
}

// restartsPlain reports whether the task restarts without being asked.
func (h *Handle) restartsPlain() bool { return h.m.plain || h.cfg != nil && h.cfg.restart != nil }

// failure describes a failure to the restart policy.
func (m *TaskManager) failure(h *Handle, rule restartRule, err error) restart.Failure {
	now := m.now()
	// Those restarts that wait still are not among the starts. Taken for starts they
	// would earn what they spend; so it is the starts that come out too low for a while.
	restarts, started := m.revived.Load(), m.pool.Snapshot().Started
	h.mu.Lock()
	defer h.mu.Unlock()
	f := restart.Failure{
		Attempt: 1, Err: err, Now: m.epoch.Add(now), Rand: m.rand,
		Starts: started - min(restarts, started), Restarts: restarts,
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

// beganLocked notes that the last restart begins now, which may be long after it was due,
// if all workers were busy. h.mu is held.
func (r *retry) beganLocked(now time.Duration) {
	if n := len(r.recent); n > 0 {
		r.recent[n-1] = now
	}
}

// sinceLocked forgets the restarts that were due at a time or before, and returns how
// many are left. h.mu is held.
func (r *retry) sinceLocked(t time.Duration) int {
	old := 0
	for old < len(r.recent) && r.recent[old] <= t {
		old++
	}
	r.recent = append(r.recent[:0], r.recent[old:]...)
	return len(r.recent)
}
