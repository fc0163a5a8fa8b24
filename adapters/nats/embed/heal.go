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

	endsItself = 100 * time.Millisecond // after a failed write the server says within that time that it ends JetStream
)

// isWriteError reports whether the server logs that it cannot write. It has no other sign of it. From
// then on it neither stores nor answers anything in the stream, until it is started again.
func isWriteError(format string) bool {
	return strings.Contains(strings.ToLower(format), "critical write error") || isDisabling(format)
}

// isDisabling reports whether the server logs that it ends JetStream after a failed write.
func isDisabling(format string) bool {
	return strings.Contains(format, "will be DISABLED") || strings.Contains(format, "disabling JetStream")
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
		s.endJetStream()
		// When the server has no JetStream any more, it still stops what belongs to its cluster, and it would
		// stop that of a new JetStream too. So a whole interval passes after that.
		ended := false
		for last := ""; ; {
			select {
			case <-tick.C:
			case <-s.ending:
				late.Stop()
				return
			}
			if s.server.JetStreamConfig() != nil {
				continue
			}
			if !ended {
				late.Stop()
				ended = true
				continue
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

// endJetStream ends JetStream, unless the server does so itself. It does after most failed writes of a cluster,
// and two calls at once may block each other.
func (s *Server) endJetStream() {
	own := time.NewTimer(endsItself)
	defer own.Stop()
	select {
	case <-s.log.disabled:
		return
	case <-s.ending:
		return
	case <-own.C:
	}
	if err := s.server.ShutdownJetStream(); err != nil {
		s.log.report("embed: cannot end JetStream: %v", err)
	}
}

// restart starts JetStream, which has ended, if the disk can be written.
func (s *Server) restart(config server.JetStreamConfig) error {
	if err := probe(s.dir); err != nil {
		return err
	}
	for _, sign := range []chan struct{}{s.log.broken, s.log.disabled} { // of what failed before the end of JetStream
		select {
		case <-sign:
		default:
		}
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
