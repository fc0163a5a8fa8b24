package embed

import (
	"context"
	"testing"
)

// TestSignsOfFailedWrites has the texts of the server.
func TestSignsOfFailedWrites(t *testing.T) {
	for format, want := range map[string]struct{ fails, disables bool }{
		"JetStream stream '%s > %s' critical write error: %v":                           {true, false},
		"JetStream consumer '%s > %s > %s' critical write error: %v":                    {true, false},
		"JetStream out of %s resources, will be DISABLED":                               {true, true},
		"JetStream out of space, will be DISABLED":                                      {true, true},
		"File system permission denied while writing, disabling JetStream":              {true, true},
		"Filesystem permission denied while writing msg, disabling JetStream: %v":       {true, true},
		"JetStream failed to store a msg on stream '%s > %s': %v":                       {false, false},
		"JetStream resource limits exceeded for account: %q":                            {false, false},
		"JetStream has not established contact with a meta leader":                      {false, false},
		"File system permission denied when flushing stream state, disabling JetStream": {true, true},
	} {
		if fails, disables := isWriteError(format), isDisabling(format); fails != want.fails || disables != want.disables {
			t.Errorf("%q: a failed write %v, ends JetStream %v; want %v, %v", format, fails, disables, want.fails, want.disables)
		}
	}
}

// A server that ends JetStream itself is not told to, and starts it again.
func TestHealAfterTheServerEndsJetStream(t *testing.T) {
	log := make(errorLog, 100)
	s, err := Start(Options{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for range 3 {
		s.log.Errorf("JetStream out of space, will be DISABLED")
		if err := s.server.ShutdownJetStream(); err != nil {
			t.Fatal(err)
		}
		awaitHealed(t, log)
		if !s.server.JetStreamEnabled() || s.server.JetStreamConfig().StoreDir == "" {
			t.Errorf("JetStream has not started: %+v", s.server.JetStreamConfig())
		}
	}
}
