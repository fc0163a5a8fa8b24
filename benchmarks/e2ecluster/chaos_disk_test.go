//go:build linux

package e2ecluster_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// chaosDisk is the disk of the first server.
type chaosDisk struct {
	dir   string    // empty: the disk is not small, and is never filled
	free  func()    // nil: it is not full
	freed time.Time // zero: the server stores
	log   int       // the length of the log of the server when the disk was filled
}

// smallIfPermitted mounts a small disk if this process may do that.
func smallIfPermitted(t *testing.T) chaosDisk {
	t.Helper()
	dir, err := mountSmall(t)
	if err != nil {
		t.Logf("no disk will be full, since this process cannot mount a small one: %v", err)
	}
	return chaosDisk{dir: dir}
}

// store returns the directory for the server, or "".
func (d *chaosDisk) store() string {
	if d.dir == "" {
		return ""
	}
	return filepath.Join(d.dir, "store")
}

// release frees the disk if it is full.
func (d *chaosDisk) release() {
	if d.free != nil {
		d.free()
		d.free, d.freed = nil, time.Now()
	}
}

// fillDisk fills the disk of the first server for one to three seconds.
func (c *chaos) fillDisk() {
	d := &c.disk
	if d.dir == "" || d.free != nil || !d.freed.IsZero() {
		return
	}
	c.done["full"] = true
	d.log = len(c.log(c.servers[0].name))
	c.servers[0].note(ledger.Full)
	d.free = fill(c.t, d.dir)
	c.later = append(c.later, appointment{time.Now().Add(time.Second + time.Duration(c.rng.Int64N(int64(2*time.Second)))), c.freeDisk})
}

func (c *chaos) freeDisk() {
	c.disk.release()
	c.lookForRoom()
}

// lookForRoom notes when the server stores again.
func (c *chaos) lookForRoom() {
	switch {
	case c.disk.freed.IsZero(): // it was killed meanwhile
	case c.stores() == nil:
		c.hasRoom()
	default:
		c.later = append(c.later, appointment{time.Now().Add(100 * time.Millisecond), c.lookForRoom})
	}
}

// hasRoom notes that the server stores, if it did not.
func (c *chaos) hasRoom() {
	if !c.disk.freed.IsZero() {
		c.disk.freed = time.Time{}
		c.servers[0].note(ledger.Room)
	}
}

// awaitRoom frees the disk, and waits until the server stores.
func (c *chaos) awaitRoom() {
	c.disk.release()
	if !c.disk.freed.IsZero() {
		c.until("the first server to store again", func(context.Context) error { return c.stores() })
		c.hasRoom()
	}
}

// stores returns an error while the first server may not have noticed that a write failed, or has not started its store
// again since.
func (c *chaos) stores() error {
	if time.Since(c.disk.freed) < time.Second {
		return errors.New("the disk has room for less than a second")
	}
	log := c.log(c.servers[0].name)[c.disk.log:]
	if bytes.LastIndex(log, []byte("cannot write to")) > bytes.LastIndex(log, []byte("can be written again")) {
		return errors.New("its log does not say that it can be written again")
	}
	return nil
}
