package embed_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// frailDisk is a disk that can lose its power.
type frailDisk struct{ image, dir string }

// newFrailDisk mounts a file with a file system. That takes root and a loop device, and make test must pass without
// them, so the test is skipped then.
func newFrailDisk(t *testing.T) frailDisk {
	t.Helper()
	d := frailDisk{image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", d.image).CombinedOutput(); err != nil {
		t.Skipf("cannot make a file system; install e2fsprogs: %v: %s", err, out)
	}
	if err := d.mount(); err != nil {
		t.Skipf("cannot mount a file system; run the test as root, on a machine with loop devices: %v", err)
	}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d frailDisk) mount() error {
	// The file system itself writes nothing for five minutes unless it is asked to.
	if out, err := exec.Command("mount", "-o", "loop,commit=300", d.image, d.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

func (d frailDisk) unmount() error { return syscall.Unmount(d.dir, 0) }

// losePower ends all writes to the disk at once. What is not on it yet is lost.
func (d frailDisk) losePower(t *testing.T) {
	t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
	withoutFlush := uint32(2)   // EXT4_GOING_FLAGS_NOLOGFLUSH
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&withoutFlush))); errno != 0 {
		t.Fatalf("cannot shut down the file system: %v", errno)
	}
}

// returnPower mounts the disk again. No server may use it.
func (d frailDisk) returnPower(t *testing.T) {
	t.Helper()
	if err := d.unmount(); err != nil {
		t.Fatal(err)
	}
	if err := d.mount(); err != nil {
		t.Fatal(err)
	}
}

// accepted are the messages that a server has confirmed before the loss of power, by their sequences.
type accepted struct {
	mu   sync.Mutex
	data map[uint64]string
	over bool
}

// publish publishes on four goroutines. When n messages are accepted, it calls cut, and returns when all attempts fail.
func (a *accepted) publish(t *testing.T, js jetstream.JetStream, n int, cut func()) {
	t.Helper()
	var all sync.WaitGroup
	enough := make(chan struct{})
	for g := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				data := fmt.Sprint(g, "/", i)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				ack, err := js.Publish(ctx, "a", []byte(data))
				cancel()
				if err != nil {
					return
				}
				if a.add(ack.Sequence, data) == n {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-within(t, time.Minute).Done():
		t.Error("too few messages are accepted")
	}
	a.mu.Lock()
	a.over = true // a machine without power confirms nothing
	a.mu.Unlock()
	cut()
	all.Wait()
}

// add returns how many messages are accepted.
func (a *accepted) add(seq uint64, data string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return -1
	}
	a.data[seq] = data
	return len(a.data)
}

// lost returns how many of them a server does not have.
func (a *accepted) lost(t *testing.T, s *embed.Server) (lost int) {
	t.Helper()
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(within(t, time.Minute), "S")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return len(a.data)
	}
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range a.data {
		m, err := st.GetMsg(within(t, time.Minute), seq)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatal(err)
		}
		if err != nil || string(m.Data) != want {
			lost++
		}
	}
	return lost
}

// What is confirmed is on the disk: it is there after a loss of power, also of a server that went on after its disk
// was full. A server that syncs once an hour shows that the disk of the test loses what is not synced.
func TestPowerLoss(t *testing.T) {
	for name, test := range map[string]struct {
		interval time.Duration
		full     bool // at first
		loses    bool
	}{
		"a sync of each write":                   {},
		"a sync of each write after a full disk": {full: true},
		"a sync each hour":                       {interval: time.Hour, loses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := newFrailDisk(t)
			o := embed.Options{Dir: filepath.Join(disk.dir, "store"), SyncInterval: test.interval}
			s := start(t, o)
			nc, err := s.Conn()
			if err != nil {
				t.Fatal(err)
			}
			js, _ := stream(t, nc, "a", 1)
			if test.full {
				free := fill(t, disk.dir)
				publishUntil(t, js, false)
				free()
				publishUntil(t, js, true)
			}
			a := accepted{data: map[uint64]string{}}
			a.publish(t, js, 200, func() { disk.losePower(t) })
			stop(t, s)
			disk.returnPower(t)

			lost := a.lost(t, start(t, o))
			t.Logf("%d messages of %d are lost", lost, len(a.data))
			if (lost > 0) != test.loses {
				t.Errorf("%d messages of %d are lost, want a loss: %v", lost, len(a.data), test.loses)
			}
		})
	}
}

// All servers of a cluster lose their power at once.
func TestPowerLossOfACluster(t *testing.T) {
	options := clusterOptions(t, 3)
	disks := make([]frailDisk, len(options))
	for i := range options {
		disks[i] = newFrailDisk(t)
		options[i].Dir, options[i].SyncInterval = filepath.Join(disks[i].dir, "store"), 0
	}
	servers := startCluster(t, options)
	nc, err := servers[0].Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, _ := stream(t, nc, "a", 3)
	a := accepted{data: map[uint64]string{}}
	a.publish(t, js, 100, func() {
		for _, d := range disks {
			d.losePower(t)
		}
	})
	for i, s := range servers {
		stop(t, s)
		disks[i].returnPower(t)
	}

	servers = startCluster(t, options)
	nc, err = servers[1].Conn()
	if err != nil {
		t.Fatal(err)
	}
	if js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, awaitLeader(t, js))
	for i, s := range servers {
		if lost := a.lost(t, s); lost > 0 {
			t.Errorf("server %d has lost %d messages of %d", i, lost, len(a.data))
		}
	}
}
