//go:build linux

package e2ecluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// smallDisk mounts a file system of 64 MiB. That takes root.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir, err := mountSmall(t)
	if err != nil {
		t.Fatalf("the test mounts a small file system, which takes CAP_SYS_ADMIN: run it as root, in a container with "+
			"--cap-add=SYS_ADMIN, or leave it out with -skip TestDiskFull: %v", err)
	}
	return dir
}

// mountSmall mounts a file system of 64 MiB until the end of the test, if that is permitted.
func mountSmall(t *testing.T) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, nil
}

// fill fills the disk of a directory. The function that it returns frees the room.
func fill(t testing.TB, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return func() {
		t.Helper()
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// While the disk of the server is full, or that of one of three, submitters wait or go on, and nothing that was
// accepted is lost. When there is room, all goes on by itself. The audit finds tasks that the server has
// forgotten to deliver.
func TestDiskFull(t *testing.T) {
	for name, servers := range map[string]int{"R1": 1, "R3": 3} {
		t.Run(name, func(t *testing.T) {
			need(t)
			disk := smallDisk(t)
			c := launch(t, settings{servers: servers, firstDir: filepath.Join(disk, "store")})
			for _, name := range []string{"w0", "w1"} {
				c.worker(name, "-workers", "8", "-audit", "500ms")
			}
			const n = 300
			release, wait := c.submitAll(n, job.Job{Work: 5 * time.Millisecond})
			c.await(n/3, ledger.Accepted, "")
			free := fill(t, disk)
			release() // something writes, however late this is
			c.awaitLog("server1", "cannot write to")
			free()
			wait()
			c.balance(2 * patience)
			c.report(n)
		})
	}
}
