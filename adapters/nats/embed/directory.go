package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// ErrLocked is returned by [Start] if another server, in this process or another one, uses the
// directory.
var ErrLocked = errors.New("embed: the directory is in use by another server")

// ErrClusterMismatch is returned by [Start] if the directory has the streams of a single server but
// Options.Cluster is set, or if a server of a cluster has used the directory but Options.Cluster is
// nil. Start does not change the streams: with the previous options, it finds them again.
var ErrClusterMismatch = errors.New("embed: the directory does not fit Options.Cluster")

// lockDirectory creates a directory and takes its lock, which the system releases when the process
// ends.
func lockDirectory(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embed: cannot create the directory of the data: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("embed: cannot lock the directory %q; it must be writable and on a local file system: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: %q; stop that server, connect to it, or choose another directory", ErrLocked, dir)
	}
	return lock, nil
}

// fits reports why a directory must not be used with or without a cluster.
//
// A server of a cluster has only the streams that the log of the cluster lists. It deletes others from
// its disk, and that log has no stream of a single server. A single server would change streams of which
// other servers have copies.
func fits(dir string, clustered bool) error {
	const move = `see "Move the tasks" in the README of adapters/nats`
	logs, err := inStore(dir, "*/_js_/_meta_") // any account may be the one of the system
	if err != nil {
		return err
	}
	streams, err := inStore(dir, "*/streams/*/"+server.JetStreamMetaFile)
	if err != nil {
		return err
	}
	switch {
	case clustered && streams && !logs:
		return fmt.Errorf("%w: %q has the streams of a single server, which a cluster would delete; "+
			"start the cluster with empty directories, and move the tasks; %s", ErrClusterMismatch, dir, move)
	case !clustered && logs:
		return fmt.Errorf("%w: a server of a cluster has used %q, so other servers may have newer copies of its streams; "+
			"set Options.Cluster, or choose another directory, and move the tasks; %s", ErrClusterMismatch, dir, move)
	}
	return nil
}

// inStore reports whether the server of a directory has stored a file.
func inStore(dir, pattern string) (bool, error) {
	// The directory itself may have characters that are special in a pattern.
	found, err := fs.Glob(os.DirFS(dir), server.JetStreamStoreDir+"/"+pattern)
	if err != nil {
		return false, fmt.Errorf("embed: cannot read the directory of the data: %w", err)
	}
	return len(found) > 0, nil
}
