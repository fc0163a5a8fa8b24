package workload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
)

// Content describes what a file contains.
type Content struct {
	Sum   [sha256.Size]byte
	Bytes int64
	Lines int64
}

// buffer is what a file is read into, piece by piece.
type buffer [128 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Scan reads a file to its end, or until ctx ends. It calls told with the number of bytes after each piece. The content
// is zero if there is an error.
func Scan(ctx context.Context, file io.Reader, told func(bytes int64)) (Content, error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	var c Content
	digest := sha256.New()
	for {
		if ctx.Err() != nil {
			return Content{}, context.Cause(ctx)
		}
		n, err := file.Read(buf[:])
		digest.Write(buf[:n])
		c.Bytes += int64(n)
		c.Lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		told(c.Bytes)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Content{}, err
		}
	}
	digest.Sum(c.Sum[:0])
	return c, nil
}
