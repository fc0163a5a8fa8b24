package embed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	probeSize  = 4 << 20 // bytes that must fit on the disk before writes are tried again
	probeEvery = time.Second
	endMost    = 30 * time.Second // ending JetStream takes up to 12 of them in a cluster
)

// isWriteError reports whether the server logs that it cannot write. It has no other sign of it. From
// then on it neither stores nor answers anything in the stream, until it is started again.
func isWriteError(format string) bool {
	return strings.Contains(strings.ToLower(format), "critical write error") || strings.Contains(format, "will be DISABLED") ||
		strings.Contains(format, "permission denied while writing")
}

// heal ends JetStream after a failed write, so that clients learn that nothing is stored, and starts it
// again when the disk can be written. It returns when the server stops.
func (s *Server) heal(config server.JetStreamConfig) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.log.broken:
		case <-s.ending:
			return
		}
		s.log.report("embed: cannot write to %q; nothing is stored until it has room and can be written", s.dir)
		late := time.AfterFunc(endMost, func() {
			s.log.report("embed: JetStream does not end after a failed write to %q; end this process and start it again", s.dir)
		})
		if err := s.server.ShutdownJetStream(); err != nil {
			s.log.report("embed: cannot end JetStream: %v", err)
		}
		late.Stop()
		for last := ""; ; {
			// Not at once: the server may have begun to end JetStream itself, which takes a while.
			select {
			case <-tick.C:
			case <-s.ending:
				return
			}
			err := s.restart(config)
			if err == nil {
				break
			}
			if last != err.Error() {
				last = err.Error()
				s.log.report("%s", last)
			}
		}
	}
}

// restart starts JetStream if it has ended and the disk can be written.
func (s *Server) restart(config server.JetStreamConfig) error {
	if s.server.JetStreamConfig() != nil {
		return errors.New("embed: JetStream has not ended yet")
	}
	if err := probe(s.dir); err != nil {
		return err
	}
	select {
	case <-s.log.broken: // what failed before the end of JetStream
	default:
	}
	if err := s.server.EnableJetStream(&config); err != nil {
		return fmt.Errorf("embed: cannot start JetStream again: %w", err)
	}
	s.log.report("embed: %q can be written again", s.dir)
	return nil
}

// probe reports why a directory cannot be written.
func probe(dir string) error {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return fmt.Errorf("embed: %w", err)
	}
	_, err = f.Write(make([]byte, probeSize))
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("embed: %w", err)
	}
	return nil
}
