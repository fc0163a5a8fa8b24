package nats

import (
	"errors"
	"testing"

	natsgo "github.com/nats-io/nats.go"
)

func TestWrapfNamesThePackageOnce(t *testing.T) {
	lost := errors.New("nats: nats: lost")
	for want, err := range map[string]error{
		"nats: open: timeout":                  wrapf("nats: open: %w", natsgo.ErrTimeout),
		"nats: not found: a: timeout":          wrapf("%w: %w", ErrNotFound, wrapf("nats: a: %w", natsgo.ErrTimeout)),
		"nats: a: lost: b: lost":               wrapf("nats: a: %w: b: %w", lost, lost),
		"nats: \": nats: \\\": nats: \": lost": wrapf("nats: %q: %w", `: nats: ": nats: `, lost),
		`nats: task ": nats: ": lost`:          named(": nats: ", lost),
		"a: ":                                  wrapf("a: %w", errors.New("nats: ")),
		"":                                     wrapf(""),
	} {
		if got := err.Error(); got != want {
			t.Errorf("the text is %q, want %q", got, want)
		}
	}
	if err := wrapf("%w: %w", ErrNotFound, natsgo.ErrTimeout); !errors.Is(err, ErrNotFound) || !errors.Is(err, natsgo.ErrTimeout) {
		t.Errorf("%v is not what it wraps", err)
	}
	if err := WithKind("")(new(submission)); !errors.Is(err, ErrNoKind) {
		t.Errorf("%v is no ErrNoKind", err)
	}
}
