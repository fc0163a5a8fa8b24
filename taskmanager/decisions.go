package taskmanager

import (
	"log/slog"
	"time"

	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
)

// Decisions returns the last 32 decisions of the scaler that changed the target number of
// workers, the latest last. Each states its reason. The log shows at most one of them
// every ten seconds, and an [observe.DecisionObserver] gets all of them.
func (m *TaskManager) Decisions() []scheduler.Decided { return m.pool.Decisions() }

// decisionLogInterval is the minimum time between two decisions in the log.
const decisionLogInterval = 10 * time.Second

// decided counts and logs a decision of the scaler, and tells observers of it. The pool calls
// it for each decision that changes the target.
func (m *TaskManager) decided(d scheduler.Decided) {
	switch {
	case d.Target > d.Workers:
		m.increases.Add(1)
	case d.Target < d.Workers:
		m.decreases.Add(1)
	}
	for _, o := range m.observers.Load().decide {
		m.tell(userCall{what: decidedCall, of: o}, func() {
			o.ScalerDecided(observe.Decision{
				Manager: m.name, Number: d.Number, At: d.At, Workers: d.Workers, Target: d.Target, Reason: d.Reason,
			})
		})
	}
	now, last := int64(m.now()), m.logged.Load()
	if d.Target == d.Workers || last != 0 && now-last < int64(decisionLogInterval) || !m.logged.CompareAndSwap(last, now) {
		return
	}
	m.log.write(event{
		level: slog.LevelInfo, message: "scaler decided",
		attrs:  []slog.Attr{slog.Int("target", d.Target), slog.Int("workers", d.Workers), slog.String("reason", text.Clean(d.Reason, text.ErrorLimit))},
		format: "%s wanted, %d present: %s", args: []any{text.Count(d.Target, "worker"), d.Workers, text.Line(d.Reason, text.ErrorLimit)},
	})
}
