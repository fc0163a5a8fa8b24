package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The requests here are those that the client of NATS does not have, or has in another form.

const apiPrefix = "$JS.API."

// ask sends a request to the server and reads the answer into resp.
func (c *Client) ask(ctx context.Context, subject string, req, resp any) error {
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	return c.again(ctx, func(ctx context.Context) error {
		r, err := c.nc.RequestWithContext(ctx, apiPrefix+subject, body)
		if err != nil {
			return err
		}
		var failed struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(r.Data, &failed); err != nil {
			return wrapf("%w: %w", jetstream.ErrInvalidJetStreamResponse, err)
		}
		if failed.Error != nil {
			return failed.Error
		}
		return json.Unmarshal(r.Data, resp)
	})
}

// again calls do, which may be done twice, until it has an answer: a request that is under way when its server
// ends is lost. It gives up when ctx ends, or after some time if that has no deadline.
func (c *Client) again(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, stop := bounded(ctx)
	defer stop()
	// The time for an attempt grows without a bound: a long list over a slow line takes as long as it
	// takes. It grows slowly beyond attemptMost: then the request is more probably lost, with another
	// server than that of the connection.
	timeout, wait := attemptTimeout, firstPause
	var gone time.Time // since when the server does not know the stream, see goneMost
	for try := 1; ; try++ {
		one, stop := c.limited(ctx, timeout)
		err := do(one)
		lost := one.Err() != nil
		stop()
		starting := hasCode(err, jetstream.JSErrCodeStreamNotFound)
		switch {
		case !starting:
			gone = time.Time{}
		case gone.IsZero():
			gone = time.Now()
		default:
			starting = time.Since(gone) < goneMost
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !lost && !starting && !transient(err), c.nc.IsClosed():
			return err
		case !pause(ctx, wait):
			return wrapf("%w: %w", context.Cause(ctx), err)
		}
		wait = min(2*wait, pauseMost)
		if timeout < attemptMost || try%3 == 0 {
			timeout *= 2
		}
	}
}

// bounded gives a context without a deadline one, so that no request waits for ever.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, openTimeout)
}

// last returns the outstanding task of a name, as the leader of the stream has it: a replica may not
// have a new one yet. The error is ErrNotFound if there is none.
func (c *Client) last(ctx context.Context, name string) (*jetstream.RawStreamMsg, error) {
	var resp struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	err := c.ask(ctx, "STREAM.MSG.GET."+c.cfg.namespace, map[string]string{"last_by_subj": c.anySubject(name)}, &resp)
	if hasCode(err, jetstream.JSErrCodeMessageNotFound) {
		return nil, wrapf("%w: no task %s is outstanding", ErrNotFound, quote(name))
	}
	if err != nil {
		return nil, c.translate(err)
	}
	m := &jetstream.RawStreamMsg{Subject: resp.Message.Subject, Sequence: resp.Message.Seq, Data: resp.Message.Data, Time: resp.Message.Time}
	if len(resp.Message.Header) > 0 {
		if m.Header, err = natsgo.DecodeHeadersMsg(resp.Message.Header); err != nil {
			return nil, wrapf("nats: the headers of task %s: %w", quote(name), err)
		}
	}
	return m, nil
}

// errGone means that a message is no longer stored.
var errGone = errors.New("nats: the message is gone")

// deleteMsg deletes a message of a stream. The error is errGone if there is none.
func (c *Client) deleteMsg(ctx context.Context, stream string, seq uint64) error {
	req := struct {
		Seq     uint64 `json:"seq"`
		NoErase bool   `json:"no_erase"`
	}{seq, true}
	var resp struct{}
	err := c.ask(ctx, "STREAM.MSG.DELETE."+stream, req, &resp)
	if hasCode(err, jetstream.JSErrCodeMessageNotFound, codeNoSequence) || hasCode(err, codeDeleteFailed) && strings.Contains(err.Error(), "no message found") {
		return errGone
	}
	return c.translate(err)
}

const (
	pageMessages = 256
	pageBytes    = 4 << 20
)

// messages returns the messages of a stream that match a subject, in the order in which they were stored. It reads
// them page by page, and from any replica.
func (c *Client) messages(ctx context.Context, stream, subject string) iter.Seq2[*jetstream.RawStreamMsg, error] {
	return c.messagesFrom(ctx, stream, subject, 1)
}

// messagesFrom is messages from a sequence on.
func (c *Client) messagesFrom(ctx context.Context, stream, subject string, first uint64) iter.Seq2[*jetstream.RawStreamMsg, error] {
	return func(yield func(*jetstream.RawStreamMsg, error) bool) {
		for from := max(first, 1); ; {
			page, more, err := c.page(ctx, stream, subject, from)
			for _, m := range page {
				if !yield(m, nil) {
					return
				}
				from = m.Sequence + 1
			}
			if err != nil {
				yield(nil, c.translate(err))
			}
			if err != nil || !more || len(page) == 0 {
				return
			}
		}
	}
}

// page returns the next messages from a sequence on, and whether there are more.
func (c *Client) page(ctx context.Context, stream, subject string, from uint64) (page []*jetstream.RawStreamMsg, more bool, err error) {
	err = c.again(ctx, func(ctx context.Context) (err error) {
		page, more, err = c.readPage(ctx, stream, subject, from)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return page, more, nil
}

func (c *Client) readPage(ctx context.Context, stream, subject string, from uint64) (page []*jetstream.RawStreamMsg, more bool, err error) {
	req, err := json.Marshal(map[string]any{"seq": from, "next_by_subj": subject, "batch": pageMessages, "max_bytes": pageBytes})
	if err != nil {
		return nil, false, err
	}
	inbox := c.nc.NewRespInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.PublishRequest(apiPrefix+"DIRECT.GET."+stream, inbox, req); err != nil {
		return nil, false, err
	}
	for {
		r, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, natsgo.ErrNoResponders) { // is the stream gone, or only without a leader?
			if _, gone := c.js.Stream(ctx, stream); gone != nil {
				err = gone
			}
		}
		if err != nil {
			return page, false, err
		}
		switch status := r.Header.Get("Status"); {
		case len(r.Data) == 0 && status == "404":
			return page, false, nil
		case len(r.Data) == 0 && status == "204":
			return page, r.Header.Get("Nats-Num-Pending") != "0", nil
		case len(r.Data) == 0 && status != "":
			return page, false, fmt.Errorf("nats: the server answers %s %s", status, clean(r.Header.Get("Description"), errorLimit))
		}
		m, err := rawMessage(r)
		if err != nil {
			return page, false, err
		}
		page = append(page, m)
	}
}

// rawMessage makes a stored message of an answer, whose headers describe it.
func rawMessage(r *natsgo.Msg) (*jetstream.RawStreamMsg, error) {
	seq, err1 := strconv.ParseUint(r.Header.Get("Nats-Sequence"), 10, 64)
	at, err2 := time.Parse(time.RFC3339Nano, r.Header.Get("Nats-Time-Stamp"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, wrapf("%w: %w", jetstream.ErrInvalidJetStreamResponse, err)
	}
	m := &jetstream.RawStreamMsg{Subject: r.Header.Get("Nats-Subject"), Sequence: seq, Time: at, Data: r.Data, Header: natsgo.Header{}}
	for k, v := range r.Header {
		if !strings.HasPrefix(k, "Nats-") {
			m.Header[k] = v
		}
	}
	return m, nil
}

// entries returns the entries of a bucket. Deleted ones are left out.
func (c *Client) entries(ctx context.Context, part string) iter.Seq2[*jetstream.RawStreamMsg, error] {
	bucket := c.cfg.namespace + "_" + part
	return func(yield func(*jetstream.RawStreamMsg, error) bool) {
		for m, err := range c.messages(ctx, "KV_"+bucket, "$KV."+bucket+".>") {
			if err == nil && (m.Header.Get("KV-Operation") != "" || len(m.Data) == 0) {
				continue // a marker
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
