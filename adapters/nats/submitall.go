package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// batchLimit is the most messages that the server stores at once.
const batchLimit = 1000

const (
	headBatchID     = "Nats-Batch-Id"
	headBatchSeq    = "Nats-Batch-Sequence"
	headBatchCommit = "Nats-Batch-Commit"
)

// Item is one task of [SubmitAll].
type Item[T any] struct {
	Name    string         // as for [Submit]
	In      T              // the payload
	Options []SubmitOption // after those for all items
}

// SubmitAll stores up to 1,000 tasks: all of them, or none. It is faster than as many calls of
// [Submit]. opts apply to all items, before the options of each item.
//
// The errors are those of Submit. If a name is taken, or occurs twice, the error is a
// [*taskmanager.TaskError] with that name, provided that the server reports it. More than 1,000
// items are an [ErrTooLarge]; no items are no error.
//
// A [WithID] in opts is the id of the batch, from which the ids of the items are derived. After
// [ErrUnknownOutcome], call SubmitAll again with the same items and the same id. The items must
// then not have ids of their own.
func SubmitAll[T any](ctx context.Context, c *Client, items []Item[T], opts ...SubmitOption) ([]*Task, error) {
	if err := checkClient(ctx, c, "submit"); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, nil
	}
	if len(items) > batchLimit {
		return nil, wrapf("%w: %d items; at most %d can be stored at once, so submit them in several batches", ErrTooLarge, len(items), batchLimit)
	}
	common, err := newSubmission(opts)
	if err != nil {
		return nil, err
	}
	b := batch{c: c, id: common.id}
	for i := range items {
		s, err := newSubmission(opts, items[i].Options)
		if err == nil {
			err = b.add(items[i].Name, payload{items[i].In, &items[i].In}, s)
		}
		if err != nil {
			return nil, atItem(i, err)
		}
	}
	return b.submit(ctx)
}

// atItem adds the place of an item to an error.
func atItem(i int, err error) error { return &itemError{i, err} }

// itemError is an error about an item of SubmitAll.
type itemError struct {
	i   int
	err error
}

// Error returns the text of the error with the place of the item.
func (e *itemError) Error() string {
	return fmt.Sprintf("nats: item %d: %s", e.i, strings.TrimPrefix(e.err.Error(), "nats: "))
}

// Unwrap returns the error without the place.
func (e *itemError) Unwrap() error { return e.err }

// batch is what SubmitAll stores.
type batch struct {
	c     *Client
	id    string // given by the user for all, or empty
	tasks []envelope
	data  [][]byte
	size  int            // of the payloads
	own   bool           // some item has an id that the user has given to it
	names map[string]int // the items by name
	ids   map[string]int // and by id
}

// add adds an item.
func (b *batch) add(name string, in payload, s submission) error {
	switch {
	case b.id == "":
		b.own = b.own || s.id != ""
	case s.id != b.id:
		return errors.New("nats: WithID: the item and the batch both have one; use one of them")
	default:
		s.id = b.id + "/" + strconv.Itoa(len(b.tasks))
	}
	e, data, err := b.c.envelope(name, in, s)
	if err != nil {
		return err
	}
	// The server compares the items with what is stored, and not with each other.
	if first, twice := b.names[name]; twice {
		return &taskmanager.TaskError{Name: name, Err: wrapf("%w: item %d has the same name", taskmanager.ErrAlreadyExists, first)}
	}
	if first, twice := b.ids[e.ID]; twice {
		return fmt.Errorf("nats: WithID: item %d has the same id", first)
	}
	if b.names == nil {
		b.names, b.ids = map[string]int{}, map[string]int{}
	}
	b.names[name], b.ids[e.ID] = len(b.tasks), len(b.tasks)
	b.tasks, b.data, b.size = append(b.tasks, e), append(b.data, data), b.size+len(data)
	return nil
}

func (b *batch) submit(ctx context.Context) ([]*Task, error) {
	spans := make([]context.Context, len(b.tasks))
	subs := make([]observe.Submission, len(b.tasks))
	messages := make([]*natsgo.Msg, len(b.tasks))
	var err error
	for i, e := range b.tasks {
		subs[i] = observe.Submission{Task: observe.Task{Name: e.Name, Kind: e.Kind}}
		spans[i] = b.c.beginSubmit(ctx, subs[i])
		messages[i] = b.c.message(spans[i], e, b.data[i])
		if err == nil {
			if err = b.c.checkSize(messages[i]); err != nil {
				err = atItem(i, named(e.Name, err))
			}
		}
	}
	if err == nil {
		err = b.send(ctx, messages)
	}
	tasks := make([]*Task, len(b.tasks))
	for i, e := range b.tasks {
		b.c.endSubmit(spans[i], subs[i], err)
		tasks[i] = b.c.task(e)
	}
	if err != nil {
		return nil, err
	}
	return tasks, nil
}

// send stores the messages, and finds out what became of them if that is not clear.
func (b *batch) send(ctx context.Context, messages []*natsgo.Msg) error {
	a := b.c.newAttempts(ctx)
	a.allow(b.size)
	careful := false
	err := a.run(ctx, func(ctx context.Context) error {
		err := b.c.publishBatch(ctx, messages, careful)
		careful = hasCode(err, codeIncomplete) // the next attempt learns which message was refused
		return err
	})
	switch {
	case err == nil:
		return nil
	case !nameTaken(err) && !hasCode(err, codeDuplicateBatch):
		return err
	case hasCode(err, codeDuplicateBatch) && !b.own:
		return nil // ids of our own, or of this batch, are known only if it was stored
	case a.unknown || b.id != "" || b.own:
		if stored, err := b.stored(ctx, messages); err != nil || stored {
			return b.unclear(err, a.unknown)
		}
	}
	return b.taken(ctx, err)
}

// unclear returns what the error of a question about an unclear submit means for that.
func (b *batch) unclear(err error, unknown bool) error {
	if err != nil && unknown {
		return wrapf("%w: %w", ErrUnknownOutcome, err)
	}
	return err
}

// publishBatch sends the messages once, as one batch of the server. The server answers the first
// one, so that a batch that it refuses altogether costs little, and the last one. If careful, it
// answers each, which takes longer, and tells why one is refused.
func (c *Client) publishBatch(ctx context.Context, messages []*natsgo.Msg, careful bool) error {
	id, last := nuid.Next(), len(messages)-1
	for i, m := range messages {
		m.Header[headBatchID] = []string{id}
		m.Header[headBatchSeq] = []string{strconv.Itoa(i + 1)}
		if i == last {
			m.Header[headBatchCommit] = []string{"1"}
			return c.request(ctx, m)
		}
		if i > 0 && !careful {
			if err := c.nc.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		if err := c.requestPart(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// requestPart sends a message of a batch that is not the last one. The answer is empty, or an error.
func (c *Client) requestPart(ctx context.Context, m *natsgo.Msg) error {
	r, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil || len(r.Data) == 0 {
		return err
	}
	return readAck(r.Data)
}

// stored reports whether the batch was stored, now or by an earlier call. That is so if all its messages were.
func (b *batch) stored(ctx context.Context, messages []*natsgo.Msg) (bool, error) {
	for i := range b.tasks {
		known, err := b.c.known(ctx, messages[i])
		if err == nil && !known {
			known, err = b.c.stored(ctx, &b.tasks[i])
		}
		if err != nil || !known {
			return false, err
		}
	}
	return true, nil
}

// taken returns the error for a batch of which a name, or an id, is taken, with the name of that item if it can
// be found.
func (b *batch) taken(ctx context.Context, err error) error {
	i := b.takenBy(ctx, err)
	if i < 0 {
		return wrapf("nats: a task of the batch: %w", taskmanager.ErrAlreadyExists)
	}
	name := b.tasks[i].Name
	return atItem(i, &taskmanager.TaskError{Name: name, Err: taskmanager.ErrAlreadyExists})
}

// takenBy returns the item whose name is taken, or -1. The server mostly tells which stored message has the
// name; otherwise the names are looked up.
func (b *batch) takenBy(ctx context.Context, err error) int {
	if e, ok := apiError(err); ok && e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		if seq, err := strconv.ParseUint(e.Description[strings.LastIndexByte(e.Description, ' ')+1:], 10, 64); err == nil {
			if m, err := b.c.tasks.GetMsg(ctx, seq); err == nil {
				if _, _, name, err := b.c.parseSubject(m.Subject); err == nil {
					if i, ok := b.names[name]; ok {
						return i
					}
				}
			}
		}
	}
	for i := range b.tasks {
		if _, err := b.c.last(ctx, b.tasks[i].Name); err == nil {
			return i
		} else if !errors.Is(err, ErrNotFound) {
			return -1
		}
	}
	return -1
}
