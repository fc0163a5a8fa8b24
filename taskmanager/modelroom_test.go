package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// roomCall is a call of WaitRoom.
type roomCall struct {
	ahead    int
	giveUp   context.CancelFunc
	gone     bool // giveUp was called
	returned chan roomResult
}

type roomResult struct {
	n   int
	err error
}

// roomAhead returns for how many more tasks there is a worker, or a place among the first that wait.
func (m *model) roomAhead(ahead int) int {
	if m.paused || m.heldFill() {
		return 0
	}
	return m.placesAhead(ahead)
}

// placesAhead is roomAhead, unless nothing can be accepted.
func (m *model) placesAhead(ahead int) int {
	if m.limit >= 0 {
		ahead = min(ahead, m.limit)
	}
	return m.max - m.slots - m.queued() - m.waiting() - len(m.returning) + ahead
}

// waitRoom starts a call of WaitRoom. If two calls wait already, it ends the context of one.
func (s *system) waitRoom(t *rapid.T) {
	s.tick()
	if len(s.rooms) == 2 {
		c := s.rooms[rapid.IntRange(0, 1).Draw(t, "call")]
		c.giveUp()
		c.gone = true
		synctest.Wait()
		s.noteRooms()
		return
	}
	c := &roomCall{ahead: rapid.IntRange(0, 3).Draw(t, "ahead"), returned: make(chan roomResult, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	c.giveUp = cancel
	go func() {
		n, err := s.m.WaitRoom(ctx, c.ahead)
		c.returned <- roomResult{n, err}
	}()
	s.rooms, s.slack = append(s.rooms, c), 0
	synctest.Wait()
	if room := s.roomAhead(c.ahead); room > 0 {
		if r := <-c.returned; r.err != nil || r.n != room {
			t.Fatalf("WaitRoom(%d) returned %d, %v; want %d", c.ahead, r.n, r.err, room)
		}
		s.rooms = s.rooms[:len(s.rooms)-1]
	}
}

// noteRooms checks after an event that a call of WaitRoom returns as soon as there is room, and not
// before. What the event makes free, it may give away again: to a task that continues after a wait, for
// example, or to one that comes to be held back and then fills the limit. A call sees the room in between
// or not.
func (s *system) noteRooms() {
	s.rooms = slices.DeleteFunc(s.rooms, func(c *roomCall) bool {
		room := s.roomAhead(c.ahead)
		most := room + s.slack
		if s.slack > 0 && !s.paused {
			most = s.placesAhead(c.ahead) + s.slack
		}
		select {
		case r := <-c.returned:
			switch {
			case c.gone && !errors.Is(r.err, context.Canceled), !c.gone && (r.err != nil || r.n < 1 || r.n > most):
				s.roomFault = fmt.Sprintf("WaitRoom(%d) returned %d, %v; there is room for %d, and was for up to %d", c.ahead, r.n, r.err, room, most)
			}
			return true
		default:
			if c.gone || room > 0 {
				s.roomFault = fmt.Sprintf("WaitRoom(%d) has not returned, though there is room for %d, or it was given up: %v", c.ahead, room, c.gone)
			}
			return false
		}
	})
	s.slack = 0
}

// checkRooms reports what was found at the events since the last check.
func (s *system) checkRooms(t *rapid.T) {
	if s.noteRooms(); s.roomFault != "" {
		t.Fatal(s.roomFault)
	}
}

// checkRoomsEnd checks that the end of the manager ended all calls of WaitRoom.
func (s *system) checkRoomsEnd(t *rapid.T) {
	for _, c := range s.rooms {
		if r := <-c.returned; !errors.Is(r.err, taskmanager.ErrStopped) {
			t.Fatalf("WaitRoom returned %d, %v after Stop, want ErrStopped", r.n, r.err)
		}
		c.giveUp()
	}
	s.rooms = nil
}
