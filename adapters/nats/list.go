package nats

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Search selects tasks or dead letters, for [Client.List] and [Client.LatestDeadLetters].
type Search struct {
	Text  string // a part of the name; empty: any name
	Kind  string // empty: any kind
	Limit int    // the maximum number of results; 100 if it is not positive
}

const (
	defaultLimit = 100
	// scanMost is how many stored messages a search reads, so that its cost does not depend on how many there are.
	scanMost = 2048
)

func (s Search) limit() int {
	if s.Limit <= 0 {
		return defaultLimit
	}
	return s.Limit
}

// selects reports whether a task meets the conditions.
func (s Search) selects(kind, name string) bool {
	return (s.Kind == "" || s.Kind == kind) && strings.Contains(name, s.Text)
}

// Page is a part of the outstanding tasks.
type Page struct {
	Tasks    []Status // running tasks, the oldest start first; then those that wait in a process; then the others, in the order of their submits
	Total    uint64   // all outstanding tasks of the namespace, whatever the search
	Complete bool     // whether these are all tasks that the search selects

	// Running tells how many tasks each process runs, whatever the search, by the id of the process. Processes
	// that do not answer are not in it.
	Running map[string]int
}

// List returns the outstanding tasks that a search selects. Its cost is bounded: it reads at most
// about 2,000 waiting tasks, the oldest first. A task whose name equals the text of the search is
// always found.
//
// If some processes do not answer within two seconds, the error is a [*PartialError], and the page
// holds what is known. Tasks of these processes appear as waiting.
func (c *Client) List(ctx context.Context, s Search) (Page, error) {
	if err := checkClient(ctx, c, "list"); err != nil {
		return Page{}, err
	}
	p, silent, err := c.list(ctx, s)
	switch {
	case err != nil:
		return Page{}, wrapf("nats: list: %w", err)
	case len(silent) > 0:
		return p, &PartialError{silent}
	}
	return p, nil
}

// list returns a page, and the processes that do not answer.
func (c *Client) list(ctx context.Context, s Search) (p Page, silent []string, err error) {
	total, err := c.count(ctx, c.tasks)
	if err != nil {
		return p, nil, err
	}
	p.Total = total.Msgs
	answers, silent, err := c.askStatus(ctx, "")
	if err != nil {
		return p, nil, err
	}
	known := make(map[string]bool)
	p.Running = make(map[string]int)
	for _, a := range answers {
		p.Running[a.Process] += 0 // it answers
		for _, t := range a.Tasks {
			known[t.Status.Name] = true
			if runs(&t.Status) {
				p.Running[a.Process]++
			}
			if s.selects(t.Kind, t.Status.Name) {
				p.Tasks = append(p.Tasks, c.described(Status{}, a.Process, t))
			}
		}
	}
	slices.SortStableFunc(p.Tasks, func(a, b Status) int {
		ra, rb := runs(&a.TaskStatus), runs(&b.TaskStatus)
		if ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.StartedAt.UnixNano(), b.StartedAt.UnixNano())
	})
	if len(p.Tasks) > s.limit() {
		p.Tasks = p.Tasks[:s.limit()]
		return p, silent, nil
	}
	if err := c.addExact(ctx, s, &p, known); err != nil {
		return p, nil, err
	}
	return p, silent, c.addWaiting(ctx, s, &p, known)
}

// runs reports whether a task has a worker.
func runs(s *taskmanager.TaskStatus) bool {
	return s.Status == taskmanager.Running || s.Status == taskmanager.Blocked
}

// count returns the state of a stream.
func (c *Client) count(ctx context.Context, st jetstream.Stream) (jetstream.StreamState, error) {
	var info *jetstream.StreamInfo
	err := c.again(ctx, func(ctx context.Context) (err error) {
		info, err = st.Info(ctx)
		return err
	})
	if err != nil {
		return jetstream.StreamState{}, c.translate(err)
	}
	return info.State, nil
}

// addExact adds the task whose name is the text of the search, if it waits.
func (c *Client) addExact(ctx context.Context, s Search, p *Page, known map[string]bool) error {
	if s.Text == "" || known[s.Text] {
		return nil
	}
	m, err := c.last(ctx, s.Text)
	if errors.Is(err, ErrNotFound) && !hasCode(err, jetstream.JSErrCodeStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.addStored(ctx, s, p, known, m)
}

// addWaiting adds tasks in the order in which they are stored.
func (c *Client) addWaiting(ctx context.Context, s Search, p *Page, known map[string]bool) error {
	kind := "*"
	if s.Kind != "" {
		kind = encode(s.Kind)
	}
	n := 0
	for m, err := range c.messages(ctx, c.cfg.namespace, c.cfg.namespace+".run.*."+kind+".*") {
		if err != nil {
			return err
		}
		if n++; n > scanMost || len(p.Tasks) >= s.limit() {
			return nil // there are more
		}
		if err := c.addStored(ctx, s, p, known, m); err != nil {
			return err
		}
	}
	p.Complete = true
	return nil
}

// addStored adds a stored task that the search selects and that is not known yet.
func (c *Client) addStored(ctx context.Context, s Search, p *Page, known map[string]bool, m *jetstream.RawStreamMsg) error {
	_, kind, name, err := c.parseSubject(m.Subject)
	if err != nil || known[name] || !s.selects(kind, name) {
		return nil // others are not ours, or not of interest
	}
	known[name] = true
	e, err := c.parse(m.Subject, m.Header)
	if err != nil { // of another version: its subject tells enough
		level, _, _, _ := c.parseSubject(m.Subject) //nolint:dogsled // it was parsed above
		e = envelope{ID: m.Header.Get(headID), Level: level, Kind: kind, Name: name}
	}
	status := c.statusOf(e, m.Time)
	h, _, err := c.history(ctx, e)
	if err != nil {
		return err
	}
	c.addHistory(&status, h)
	p.Tasks = append(p.Tasks, status)
	return nil
}

// DeadPage is a part of the dead letters.
type DeadPage struct {
	Letters  []DeadLetter // the newest first
	Total    uint64       // all dead letters of the namespace, whatever the search
	Complete bool         // whether these are all dead letters that the search selects
}

// LatestDeadLetters returns the newest dead letters that a search selects. Its cost is bounded: it
// reads at most about 2,000 dead letters. [Client.DeadLetters] reads all of them.
func (c *Client) LatestDeadLetters(ctx context.Context, s Search) (DeadPage, error) {
	if err := checkClient(ctx, c, "latest dead letters"); err != nil {
		return DeadPage{}, err
	}
	p, err := c.latest(ctx, s)
	if err != nil {
		return DeadPage{}, wrapf("nats: latest dead letters: %w", err)
	}
	return p, nil
}

// latest reads the stream backwards, in stretches: each is read forwards, as the server offers it.
func (c *Client) latest(ctx context.Context, s Search) (p DeadPage, err error) {
	state, err := c.count(ctx, c.dead)
	if err != nil {
		return p, err
	}
	p.Total = state.Msgs
	read, width := 0, uint64(pageMessages)
	for last := state.LastSeq; last >= state.FirstSeq && state.Msgs > 0; {
		first := max(state.FirstSeq, last-min(last, width)+1)
		stretch, whole, err := c.stretch(ctx, c.deadFilter(s.Kind), first, last)
		if err != nil {
			return p, err
		}
		if !whole { // more than a page, so width is more than a page
			width /= 4
			continue
		}
		if len(stretch) < pageMessages/4 {
			width *= 4 // most of these sequences are deleted, or of other kinds
		}
		for _, m := range slices.Backward(stretch) {
			d, err := c.parseDead(m)
			if err != nil || !s.selects(d.Kind, d.Name) {
				continue
			}
			if len(p.Letters) == s.limit() {
				return p, nil // there are more
			}
			p.Letters = append(p.Letters, d)
		}
		if read += len(stretch); read >= scanMost {
			return p, nil
		}
		last = first - 1
	}
	p.Complete = true
	return p, nil
}

// stretch returns the dead letters with sequences from first to last, and whether these are all of them: it
// returns no more than a page holds.
func (c *Client) stretch(ctx context.Context, subject string, first, last uint64) (all []*jetstream.RawStreamMsg, whole bool, err error) {
	for from := first; from <= last; {
		page, more, err := c.page(ctx, c.cfg.namespace+"_DEAD", subject, from)
		if err != nil {
			return nil, false, c.translate(err)
		}
		for _, m := range page {
			if m.Sequence > last {
				return all, true, nil
			}
			if len(all) == pageMessages {
				return all, false, nil
			}
			all = append(all, m)
			from = m.Sequence + 1
		}
		if !more || len(page) == 0 {
			return all, true, nil
		}
	}
	return all, true, nil
}
