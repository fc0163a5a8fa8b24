package embed

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// errorLog passes on errors.
type errorLog chan string

func (l errorLog) Infof(string, ...any) {}

func (l errorLog) Errorf(format string, _ ...any) {
	select {
	case l <- format:
	default: // the test has what it waits for
	}
}

// The server syncs as the options say, also when it goes on after a failed write.
func TestSyncsInForce(t *testing.T) {
	for _, test := range []struct {
		interval time.Duration
		always   bool
	}{{0, true}, {10 * time.Millisecond, false}, {time.Second, false}} {
		t.Run(test.interval.String(), func(t *testing.T) {
			log := make(errorLog, 100)
			s, err := Start(Options{Dir: t.TempDir(), SyncInterval: test.interval, Logger: log})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			before := *s.server.JetStreamConfig()
			if before.SyncAlways != test.always || !test.always && before.SyncInterval != test.interval {
				t.Errorf("it syncs always: %v, each %v; want always: %v, each %v",
					before.SyncAlways, before.SyncInterval, test.always, test.interval)
			}
			s.log.broken <- struct{}{}
			awaitHealed(t, log)
			if diff := cmp.Diff(before, *s.server.JetStreamConfig(), cmp.AllowUnexported(before)); diff != "" {
				t.Errorf("after a failed write (-before +after):\n%s", diff)
			}
		})
	}
}

// awaitHealed waits until a server says that it goes on.
func awaitHealed(t *testing.T, log errorLog) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		select {
		case format := <-log:
			if strings.Contains(format, "can be written again") {
				return
			}
		case <-end:
			t.Fatal("the server does not go on")
		}
	}
}
