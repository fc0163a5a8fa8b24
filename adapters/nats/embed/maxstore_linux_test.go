package embed_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// By default, a server stores three quarters of its disk, also if it is stopped and started meanwhile: what it has
// stored before does not make the limit smaller.
func TestMaxStoreOfADisk(t *testing.T) {
	const size = 500_000
	for name, restarts := range map[string]int{"one start": 0, "three starts": 2} {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t)
			o := embed.Options{Dir: filepath.Join(disk, "store"), SyncInterval: time.Second}
			var stored int
			for i := range restarts + 1 {
				s := start(t, o)
				nc, err := s.Conn()
				if err != nil {
					t.Fatal(err)
				}
				js, _ := stream(t, nc, "a", 1)
				for ; i == restarts || stored < (i+1)*20_000_000; stored += size {
					if _, err = js.Publish(within(t, time.Minute), "a", make([]byte, size)); err != nil {
						break
					}
				}
				if _, refused := errors.AsType[*jetstream.APIError](err); i == restarts && !refused || i < restarts && err != nil {
					t.Fatalf("with %d bytes: %v", stored, err)
				}
				stop(t, s)
			}
			// Three quarters of 64 MiB, which the last message may exceed.
			if stored < 46_000_000 || stored > 51_000_000 {
				t.Errorf("%d bytes are stored, want about 50,000,000", stored)
			}
		})
	}
}
