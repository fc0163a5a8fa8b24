package cause_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
)

func TestOf(t *testing.T) {
	own := errors.New("own")
	tests := []struct {
		name string
		end  func() (context.Context, func())
		want []error
	}{
		{"cancelled", func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}, []error{context.Canceled}},
		{"with a cause", func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(own)
			return ctx, func() {}
		}, []error{context.Canceled, own}},
		{"deadline with a cause", func() (context.Context, func()) {
			return context.WithDeadlineCause(t.Context(), time.Unix(0, 0), own)
		}, []error{context.DeadlineExceeded, own}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := test.end()
			defer cancel()
			got := cause.Of(ctx)
			for _, want := range test.want {
				if !errors.Is(got, want) {
					t.Errorf("got %v, want it to wrap %v", got, want)
				}
			}
		})
	}
}
