package lazycontext_test

import (
	"context"
	"testing"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

// TestAboutIsForNearestOnly checks whom the two functions find in contexts of all kinds.
func TestAboutIsForNearestOnly(t *testing.T) {
	one, two := 1, 2
	task := new(lazycontext.Context[int])
	task.Init(context.WithValue(t.Context(), key("k"), "v"), &one)
	event := lazycontext.NewAbout(context.WithValue(task, key("own"), 3), &two)
	derived := context.WithValue(event, key("more"), 4)
	inner := new(lazycontext.Context[int])
	inner.Init(derived, &one)
	see := func(what string, ctx context.Context, nearest, owner *int) {
		t.Helper()
		check.Equal(t, "nearest of "+what, lazycontext.NearestOf[int](ctx), nearest)
		check.Equal(t, "owner of "+what, lazycontext.OwnerOf[int](ctx), owner)
	}
	see("nil", nil, nil, nil)
	see("a context without any", t.Context(), nil, nil)
	see("a task", task, &one, &one)
	see("an event", event, &two, &one)
	see("a context derived from an event", derived, &two, &one)
	see("a task with the values of an event", inner, &one, &one)
	if derived.Value(key("k")) != "v" || derived.Value(key("own")) != 3 {
		t.Error("an event hides values")
	}
	event.Release()
	see("an event that is over", derived, nil, &one)
	task.Release()
	see("an event that is over, of a task that is over", derived, nil, nil)
}

// TestChainOfEventsIsFlat checks that an event with the context of an event does not keep that one.
func TestChainOfEventsIsFlat(t *testing.T) {
	ctx, owner := context.WithValue(t.Context(), key("k"), 1), 1
	a := lazycontext.NewAbout(ctx, &owner)
	for range 10 {
		a = lazycontext.NewAbout(a, &owner)
	}
	if a.Context != ctx {
		t.Errorf("the parent is a %T", a.Context)
	}
}
