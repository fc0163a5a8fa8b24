package lazycontext_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

type key string

func lazy(base context.Context) *lazycontext.Context[int] {
	c := new(lazycontext.Context[int])
	c.Init(base, nil)
	return c
}

// detached returns a context to which c is detached.
func detached(c *lazycontext.Context[int]) *lazycontext.Context[int] {
	d := new(lazycontext.Context[int])
	c.Detach(d)
	return d
}

// TestEqualsTheStandardContext drives a lazy context and a standard one, with a
// deadline and a link or without, through the same calls; what can be seen of both must never
// differ.
func TestEqualsTheStandardContext(t *testing.T) {
	check.Property(t, func(t *rapid.T) { rapid.SyncTest(t, equalsTheStandardContext) })
}

func equalsTheStandardContext(t *rapid.T) {
	causes := []error{nil, errors.New("first"), errors.New("second")}
	base, cancelBase := context.WithCancelCause(context.WithValue(context.Background(), key("k"), "v"))
	defer cancelBase(nil)
	got := lazy(base)
	link, cancelLink := context.WithCancelCause(context.Background())
	defer cancelLink(nil)
	parent := context.WithoutCancel(base)
	if rapid.Bool().Draw(t, "linked") {
		got.Link(link)
		parent = link
	}
	if rapid.Bool().Draw(t, "detached") {
		first := got
		got = detached(first)
		first.Forget()
	}
	want, cancelWant := context.WithCancelCause(parent)
	defer cancelWant(nil)
	defer got.Release()
	if rapid.Bool().Draw(t, "limited") {
		at, late := time.Now().Add(10*time.Second), errors.New("late")
		got.SetDeadline(at, late)
		var stop context.CancelFunc
		want, stop = context.WithDeadlineCause(want, at, late)
		defer stop()
	}
	type child struct{ got, want context.Context }
	children := []child{}
	t.Repeat(map[string]func(*rapid.T){
		"cancel": func(t *rapid.T) {
			cause := rapid.SampledFrom(causes).Draw(t, "cause")
			got.Cancel(cause)
			cancelWant(cause)
		},
		"cancelBase": func(*rapid.T) { cancelBase(errors.New("base")) },
		"cancelLink": func(t *rapid.T) { cancelLink(rapid.SampledFrom(causes).Draw(t, "cause")) },
		"release":    func(*rapid.T) { got.Release(); cancelWant(nil) },
		"observe":    func(*rapid.T) { got.Done() },
		"advance": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second}).Draw(t, "time"))
			synctest.Wait()
		},
		"derive": func(t *rapid.T) {
			g, gc := context.WithCancel(got)
			w, wc := context.WithCancel(want)
			t.Cleanup(gc)
			t.Cleanup(wc)
			children = append(children, child{g, w})
		},
		"": func(t *rapid.T) {
			compare(t, "context", got, want)
			for _, c := range children {
				compare(t, "derived context", c.got, c.want)
			}
		},
	})
}

//nolint:revive // a context under test is no argument that a context goes before
func compare(t *rapid.T, what string, got, want context.Context) {
	if diff := cmp.Diff(want.Err(), got.Err(), cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("%s: Err (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(context.Cause(want), context.Cause(got), cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("%s: Cause (-want +got):\n%s", what, diff)
	}
	gotAt, gotOK := got.Deadline()
	if wantAt, wantOK := want.Deadline(); gotOK != wantOK || !gotAt.Equal(wantAt) {
		t.Fatalf("%s: the deadline is %v, %v; want %v, %v", what, gotAt, gotOK, wantAt, wantOK)
	}
	if v := got.Value(key("k")); v != "v" {
		t.Fatalf("%s: Value is %v, want v", what, v)
	}
	// Asking for Done observes the context, so only do it once it has ended.
	if want.Err() != nil {
		select {
		case <-got.Done():
		default:
			t.Fatalf("%s: Done is open after %v", what, got.Err())
		}
	}
}

func TestDeriveStartsNoGoroutine(t *testing.T) {
	c := lazy(t.Context())
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // NumGoroutine counts ended ones while a collection frees their stacks
	before := runtime.NumGoroutine()
	for range 100 {
		ctx, cancel := context.WithTimeout(c, time.Hour)
		defer cancel()
		_ = ctx
	}
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("deriving 100 contexts started %d goroutines, want 0", got-before)
	}
}

func TestUnobservedContextAllocatesNothing(t *testing.T) {
	base := t.Context()
	var c lazycontext.Context[int]
	got := testing.AllocsPerRun(100, func() {
		c = lazycontext.Context[int]{}
		c.Init(base, nil)
		if c.Err() != nil || c.Value(key("k")) != nil {
			t.Fatal("a fresh context has an error or a value")
		}
		c.Release()
	})
	if got != 0 {
		t.Errorf("an unobserved context costs %v allocations, want 0", got)
	}
}

func TestConcurrentObserversSeeOneContext(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			c := lazy(context.Background())
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { <-c.Done() })
			}
			wg.Go(c.Release)
			wg.Wait() // hangs, and fails as a deadlock, if an observer saw a channel that nobody closes
		})
	}
}

// TestLinkLendsNoValues checks that a context has the values of its base and not those of its
// link, also when it is observed, and that it ends at once with the link even so.
func TestLinkLendsNoValues(t *testing.T) {
	link, cancel := context.WithCancelCause(context.WithValue(t.Context(), key("link"), 1))
	c := lazy(context.WithValue(t.Context(), key("base"), 2))
	c.Link(link)
	for range 2 {
		if got := c.Value(key("link")); got != nil {
			t.Errorf("the value of the link is %v, want none", got)
		}
		if got := c.Value(key("base")); got != 2 {
			t.Errorf("the value of the base is %v, want 2", got)
		}
		c.Done() // from now on there is a real context
	}
	child, stop := context.WithCancel(c)
	defer stop()
	why := errors.New("why")
	cancel(why)
	for what, ctx := range map[string]context.Context{"context": c, "derived context": child} {
		if ctx.Err() == nil || !errors.Is(context.Cause(ctx), why) {
			t.Errorf("after the end of the link, Err of the %s is %v and its cause %v", what, ctx.Err(), context.Cause(ctx))
		}
	}
}

// TestForgetDropsTheValuesOfTheOwnerOnly checks that a detached context keeps its values.
func TestForgetDropsTheValuesOfTheOwnerOnly(t *testing.T) {
	c := lazy(context.WithValue(t.Context(), key("k"), "v"))
	d := detached(c)
	if c.Detached() != lazycontext.Lazy(d) {
		t.Error("Detached is not the argument of Detach")
	}
	c.Forget()
	if got := d.Value(key("k")); got != "v" {
		t.Errorf("the detached context has the value %v, want v", got)
	}
	if got := c.Value(key("k")); got != nil {
		t.Errorf("the context has the value %v still", got)
	}
	if !lazy(context.Background()).Plain() || !c.Plain() || d.Plain() {
		t.Error("Plain returns true for a context with values, or false for one without")
	}
}
