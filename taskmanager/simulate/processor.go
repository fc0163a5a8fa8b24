package simulate

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// processor makes executions share cores: while n of them run on c cores, each advances at the rate
// c/n, and at most 1.
//
// All executions advance equally fast, so the one with the least work left ends first. The processor
// keeps, for each, the progress at which it ends: the progress that an execution which had run from
// the start of the replay would have made by then. It needs one timer, for the next end.
type processor struct {
	cores    float64
	calendar *calendar

	mu       sync.Mutex // guards the rest
	running  shares
	progress float64       // nanoseconds of work that an execution from the start would have done
	at       time.Duration // when progress was computed
	next     *appointment  // the next end; nil: none
	timer    *time.Timer
}

// share is an execution.
type share struct {
	end  float64 // the progress at which it ends
	job  int     // decides between equal ends
	done chan struct{}
}

func newProcessor(cores int, c *calendar) *processor {
	p := &processor{cores: float64(cores), calendar: c}
	p.timer = time.AfterFunc(time.Hour, p.finish)
	p.timer.Stop()
	return p
}

// workFor does d of work, and returns when it was done.
func (p *processor) workFor(job int, d time.Duration) time.Duration {
	s := &share{job: job, done: make(chan struct{})}
	p.mu.Lock()
	p.advanceLocked()
	s.end = p.progress + float64(d)
	heap.Push(&p.running, s)
	p.appointLocked()
	p.mu.Unlock()
	<-s.done
	return p.calendar.now()
}

// advanceLocked brings the progress up to now.
func (p *processor) advanceLocked() {
	now := p.calendar.now()
	p.progress += float64(now-p.at) * p.rateLocked()
	p.at = now
	if len(p.running) == 0 {
		p.progress = 0 // which keeps its precision
	}
}

// rateLocked returns how fast an execution advances.
func (p *processor) rateLocked() float64 {
	return min(1, p.cores/float64(max(1, len(p.running))))
}

// appointLocked sets the timer for the next end.
func (p *processor) appointLocked() {
	if p.next != nil {
		p.calendar.cancel(p.next)
		p.next = nil
	}
	if len(p.running) == 0 {
		p.timer.Stop()
		return
	}
	first := p.running[0]
	left := time.Duration(math.Ceil(max(first.end-p.progress, 0) / p.rateLocked()))
	p.next = p.calendar.appoint(first.job, p.at+max(left, 1))
	p.timer.Reset(p.calendar.instantOf(p.next) - p.at)
}

// finish ends the execution whose end is due. The timer calls it.
func (p *processor) finish() {
	if p.putOff() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil || p.calendar.instantOf(p.next) > p.calendar.now() {
		return // another execution has begun at this instant, or ended
	}
	p.advanceLocked()
	first := heap.Pop(&p.running).(*share)
	p.progress = max(p.progress, first.end) // the timer is rounded to nanoseconds
	close(first.done)
	p.appointLocked()
}

// putOff reports whether no end is due. If the end has been put off, for an arrival at this instant, it
// sets the timer again: the arrival has the instant for itself.
func (p *processor) putOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		return true
	}
	left := p.calendar.instantOf(p.next) - p.calendar.now()
	if left > 0 {
		p.timer.Reset(left)
	}
	return left > 0
}

// shares is a heap of executions, by their ends.
type shares []*share

func (s shares) Len() int { return len(s) }
func (s shares) Less(i, j int) bool {
	return s[i].end < s[j].end || s[i].end == s[j].end && s[i].job < s[j].job
}
func (s shares) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *shares) Push(x any)   { *s = append(*s, x.(*share)) }

func (s *shares) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return x
}
