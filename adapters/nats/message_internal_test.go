package nats

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	natsgo "github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

func testClient() *Client { return &Client{cfg: config{namespace: "ns", codec: JSON}} }

var anyText = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) })

// drawEnvelope makes an envelope that a submit could make.
func drawEnvelope(t *rapid.T) envelope {
	some := func(name string) time.Duration {
		return time.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, math.MaxInt64)).Draw(t, name))
	}
	at := func(name string) time.Time {
		if d := rapid.Int64Range(0, never.UnixNano()).Draw(t, name); d > 0 {
			return time.Unix(0, d)
		}
		return time.Time{}
	}
	text := func(name string) string { return anyText.Draw(t, name) }
	e := envelope{
		ID: rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "id"), Level: rapid.SampledFrom(levels[:]).Draw(t, "level"),
		Kind: "k" + text("kind"), Name: "n" + text("name"), NotBefore: at("not before"), Deadline: at("deadline"),
		Timeout: some("timeout"), QueueTimeout: some("queue timeout"), Key: text("key"), Description: text("description"),
		Cost: int64(some("cost")), Result: some("result"), Codec: rapid.SampledFrom([]string{"json", "gob"}).Draw(t, "codec"),
	}
	if rapid.Bool().Draw(t, "traced") {
		e.Trace = natsgo.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	}
	return e
}

// overTheWire returns headers as a subscriber gets them.
func overTheWire(t interface{ Fatal(...any) }, h natsgo.Header) natsgo.Header {
	var b bytes.Buffer
	b.WriteString("NATS/1.0\r\n")
	for k, vs := range h {
		for _, v := range vs {
			if strings.ContainsAny(k+v, "\r\n") {
				t.Fatal("a header with a line break:", k, v)
			}
			b.WriteString(k + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	got, err := natsgo.DecodeHeadersMsg(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheEnvelopeSurvivesTheWire(t *testing.T) {
	c := testClient()
	rapid.Check(t, func(t *rapid.T) {
		want := drawEnvelope(t)
		got, err := c.parse(c.subject(want.Level, want.Kind, want.Name), overTheWire(t, want.header()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestSubjectsHaveFiveTokens(t *testing.T) {
	c := testClient()
	rapid.Check(t, func(t *rapid.T) {
		kind, name := anyText.Draw(t, "kind"), anyText.Draw(t, "name")
		s := c.subject(High, kind, name)
		if n := strings.Count(s, "."); n != 4 || strings.ContainsAny(s, "*> \r\n\t\x00") {
			t.Fatalf("the subject of kind %q and name %q is %q", kind, name, s)
		}
		if n := strings.Count(c.anySubject(name), "."); n != 4 {
			t.Fatalf("the filter of name %q is %q", name, c.anySubject(name))
		}
	})
}

func TestDeadSubjects(t *testing.T) {
	c := testClient()
	rapid.Check(t, func(t *rapid.T) {
		kind, name := "k"+anyText.Draw(t, "kind"), "n"+anyText.Draw(t, "name")
		gotKind, gotName, err := c.parseDeadSubject(c.deadSubject(kind, name))
		if err != nil || gotKind != kind || gotName != name {
			t.Fatalf("got %q and %q, %v; want %q and %q", gotKind, gotName, err, kind, name)
		}
	})
	if all, one := c.deadFilter(""), c.deadFilter("*"); all != "ns.dead.*.*" || one != "ns.dead.=2A.*" {
		t.Errorf("the filters are %q and %q", all, one)
	}
}

func TestParseSubjectRefusesOthers(t *testing.T) {
	c := testClient()
	for _, s := range []string{
		"", "ns", "ns.run", "ns.run.high.k", "ns.run.high.k.n.x", "other.run.high.k.n", "ns.dead.k.n",
		"ns.run.urgent.k.n", "ns.run.high.k.=2", "ns.run.high..n", "ns.run.high.k.", "ns.run.high.k.=", "ns.run.high.=.n",
	} {
		if p, k, n, err := c.parseSubject(s); err == nil {
			t.Errorf("parseSubject(%q) = %v, %q, %q without an error", s, p, k, n)
		}
	}
}

func TestParseRefusesBadHeaders(t *testing.T) {
	c := testClient()
	for name, h := range map[string]natsgo.Header{
		"no version":       {headID: {"x"}},
		"version 0":        {headVersion: {"0"}, headID: {"x"}},
		"version text":     {headVersion: {"one"}, headID: {"x"}},
		"no id":            {headVersion: {"1"}},
		"negative timeout": {headVersion: {"1"}, headID: {"x"}, headTimeout: {"-1"}},
		"deadline text":    {headVersion: {"1"}, headID: {"x"}, headDeadline: {"tomorrow"}},
		"overflow":         {headVersion: {"1"}, headID: {"x"}, headCost: {"9223372036854775808"}},
		"key":              {headVersion: {"1"}, headID: {"x"}, headKey: {"a b"}},
	} {
		_, err := c.parse("ns.run.low.k.n", h)
		if _, newer := errors.AsType[*versionError](err); err == nil || newer {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestParseRecognisesNewerVersions(t *testing.T) {
	_, err := testClient().parse("ns.run.low.k.n", natsgo.Header{headVersion: {"2"}, headTimeout: {"P1D"}})
	want := &versionError{2}
	if got, ok := errors.AsType[*versionError](err); !ok || *got != *want {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

func FuzzParse(f *testing.F) {
	c := testClient()
	f.Add("ns.run.high.k.n", "1", "id", "5", "key")
	f.Fuzz(func(t *testing.T, subject, version, id, number, text string) {
		h := natsgo.Header{headVersion: {version}, headID: {id}, headTimeout: {number}, headDeadline: {number}, headKey: {text}}
		e, err := c.parse(subject, h)
		if err != nil {
			return
		}
		again, err := c.parse(c.subject(e.Level, e.Kind, e.Name), e.header())
		if diff := cmp.Diff(e, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v (-first +again):\n%s", err, diff)
		}
	})
}

func TestClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(4, 60).Draw(t, "limit")
		text := clean(anyText.Draw(t, "text")+anyText.Draw(t, "more"), limit)
		if len(text) > limit || strings.ContainsAny(text, "\r\n\x00") || strings.ToValidUTF8(text, "") != text {
			t.Fatalf("%q is not clean within %d bytes", text, limit)
		}
	})
}

// A time that is far away stays on its side of now.
func TestTimesFarAway(t *testing.T) {
	c := testClient()
	now := time.Now()
	c.clock = newServerClock(func() time.Time { return now })
	c.clock.learn(now, now, now)
	forever := time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
	header := func(s submission) envelope {
		e := envelope{ID: "x"}
		c.setTimes(&e, s)
		got, err := parseHeader(overTheWire(t, e.header()))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for name, e := range map[string]envelope{
		"not before": header(submission{notBefore: forever}), "delay": header(submission{delay: math.MaxInt64}),
	} {
		if !e.NotBefore.Equal(never) {
			t.Errorf("%s: the task starts at %v", name, e.NotBefore)
		}
	}
	if e := header(submission{deadline: forever}); !e.Deadline.IsZero() {
		t.Errorf("a deadline in 9999 is %v", e.Deadline)
	}
	past := header(submission{deadline: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), notBefore: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)})
	if past.Deadline.IsZero() || past.Deadline.After(now) || past.NotBefore.After(now) {
		t.Errorf("times of the year 1 are %v and %v", past.Deadline, past.NotBefore)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1<<38, 1<<38).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		if got := unixNano(at); got < 1 || got > never.UnixNano() || at.After(time.Unix(0, 0)) && at.Before(never) && got != at.UnixNano() {
			t.Fatalf("%v is %d", at, got)
		}
	})
}
