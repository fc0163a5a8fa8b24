package embed_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// smallDisk mounts a file system of 64 MiB. That takes root, and make test must pass without it, so the test is
// skipped then. TestDiskFull of make e2e-cluster fails instead.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("cannot mount a small file system, which takes CAP_SYS_ADMIN; run the test as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills the disk of a directory. The function that it returns frees the room.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// publishUntil publishes until one attempt has the wanted outcome. It returns how many were accepted.
func publishUntil(t *testing.T, js jetstream.JetStream, want bool) (accepted uint64) {
	t.Helper()
	for end := within(t, time.Minute); end.Err() == nil; {
		ctx, cancel := context.WithTimeout(end, time.Second)
		_, err := js.Publish(ctx, "a", make([]byte, 1000))
		cancel()
		if err == nil {
			accepted++
		}
		if (err == nil) == want {
			return accepted
		}
	}
	t.Fatalf("no message was accepted: %v, want %v", !want, want)
	return 0
}

// A disk that was full keeps what was accepted, and is used again when it has room, without a new
// start of the server.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t)
	log := new(lines)
	s := start(t, embed.Options{Dir: filepath.Join(disk, "store"), Logger: log})
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, st := stream(t, nc, "a", 1)
	accepted := publishUntil(t, js, true)
	free := fill(t, disk)
	accepted += publishUntil(t, js, false)
	free()
	accepted += publishUntil(t, js, true)
	info, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// An attempt without an answer counts as not accepted, and may be stored.
	if got := info.State.Msgs; got < accepted || got > accepted+1 {
		t.Errorf("%d messages are stored, but %d were accepted", got, accepted)
	}
	for _, want := range []string{"error: embed: cannot write to", "can be written again"} {
		if !log.contain(want) {
			t.Errorf("the log lacks %q: %q", want, log.all)
		}
	}
}

// A cluster goes on while the disk of one server is full, and that server comes back when it has room.
func TestDiskFullInCluster(t *testing.T) {
	disk := smallDisk(t)
	options := clusterOptions(t, 3)
	log := new(lines)
	options[0].Dir, options[0].Logger = filepath.Join(disk, "store"), log
	servers := startCluster(t, options)
	nc, err := servers[1].Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, st := stream(t, nc, "a", 3)
	accepted := publishUntil(t, js, true)
	free := fill(t, disk)
	for !log.contain("error: embed: cannot write to") {
		accepted += publishUntil(t, js, true)
	}
	for range 10 {
		accepted += publishUntil(t, js, true)
	}
	free()
	for !log.contain("can be written again") {
		accepted += publishUntil(t, js, true)
	}
	if err := servers[0].Ready(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	accepted += publishUntil(t, js, true)
	if got := caughtUp(t, st); got < accepted {
		t.Errorf("%d messages are stored, but %d were accepted", got, accepted)
	}
}

// caughtUp waits until all replicas of a stream are up to date, and returns how many messages it has.
func caughtUp(t *testing.T, st jetstream.Stream) uint64 {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t, time.Minute); ; {
		info, err := st.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		current := 1 // the leader
		for _, r := range info.Cluster.Replicas {
			if r.Current && !r.Offline {
				current++
			}
		}
		if current == 3 {
			return info.State.Msgs
		}
		<-tick.C
	}
}
