package dashboard

import (
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// decision is a decision of a scaler.
type decision struct {
	number          uint64
	at              time.Time
	workers, target int
	reason          string
}

// decisionLog keeps the last decisions. It is safe for concurrent use.
type decisionLog struct {
	mu   sync.Mutex // guards the rest
	list []decision // in ascending order of the numbers
}

// add adds a decision, unless it is known. Decisions may come out of order.
func (l *decisionLog) add(d decision) {
	d.reason = kept(text.Line(d.reason, text.NameLimit))
	l.mu.Lock()
	defer l.mu.Unlock()
	at := len(l.list)
	for at > 0 && l.list[at-1].number > d.number {
		at--
	}
	if at > 0 && l.list[at-1].number == d.number {
		return
	}
	if at == 0 && len(l.list) == decisionLimit {
		return
	}
	l.list = append(l.list, decision{})
	copy(l.list[at+1:], l.list[at:])
	l.list[at] = d
	if len(l.list) > decisionLimit {
		copy(l.list, l.list[1:])
		l.list = l.list[:decisionLimit]
	}
}

// poll adds the decisions that a manager remembers.
func (l *decisionLog) poll(m *taskmanager.TaskManager) {
	last := l.last()
	for _, d := range m.Decisions() {
		if d.Number > last.number {
			l.add(decision{d.Number, d.At, d.Workers, d.Target, d.Reason})
		}
	}
}

// last returns the decision with the highest number, or zero.
func (l *decisionLog) last() decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return decision{}
	}
	return l.list[len(l.list)-1]
}

// after returns a copy of the decisions with a higher number than the given one, and the number
// of decisions that are not remembered.
func (l *decisionLog) after(number uint64) (list []decision, forgotten uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := len(l.list)
	for from > 0 && l.list[from-1].number > number {
		from--
	}
	list = append(list, l.list[from:]...)
	if n := len(l.list); n > 0 {
		forgotten = l.list[n-1].number - uint64(n)
	}
	return list, forgotten
}
