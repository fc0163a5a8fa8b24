package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the length of the longest line, in bytes. In CSV it limits a row, which may have
// several lines. In [OTLP] a line may be 64 times as long, since a line has a whole batch.
const MaxLine = 1 << 20

// compressions are ways to compress that this package does not read.
var compressions = []struct{ name, magic string }{
	{"zstd", "\x28\xb5\x2f\xfd"},
	{"bzip2", "BZh"},
	{"xz", "\xfd7zXZ\x00"},
	{"zip", "PK\x03\x04"},
	{"lz4", "\x04\x22\x4d\x18"},
}

// contentOf returns the content of a file: decompressed, and without a byte order mark. The text of
// an error continues the name of the file.
func contentOf(file io.Reader) (*bufio.Reader, error) {
	const enough = 512 // to recognise a file that is no text
	r := bufio.NewReaderSize(file, 64<<10)
	head, err := r.Peek(enough)
	if bytes.HasPrefix(head, []byte("\x1f\x8b")) {
		unzipped, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("cannot be decompressed: %w", err)
		}
		r = bufio.NewReaderSize(unzipped, 64<<10)
		if head, err = r.Peek(enough); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("cannot be decompressed: %w", err)
		}
	}
	switch {
	case len(head) == 0 && (err == nil || errors.Is(err, io.EOF)):
		return nil, errors.New("is empty")
	case len(head) == 0:
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	for _, c := range compressions {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return nil, fmt.Errorf("is compressed with %s: decompress it, or compress it with gzip instead", c.name)
		}
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return nil, errors.New("is in UTF-16: save it as UTF-8")
	}
	if first, _, _ := bytes.Cut(head, []byte("\n")); bytes.IndexByte(first, 0) >= 0 { // texts below it may have any bytes
		return nil, errors.New("is a binary file, not a text")
	}
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, bom) {
		_, _ = r.Discard(len(bom)) // they are in the buffer
	}
	return r, nil
}

// lines reads lines.
type lines struct {
	from   *bufio.Reader
	most   int    // the length of the longest
	number int    // of the last line
	long   []byte // the last line, if it did not fit into the buffer
}

// next returns the next line with its end, if it has one. The line is valid until the next call.
// After the last line, the error is io.EOF.
func (l *lines) next() ([]byte, error) {
	line, err := l.from.ReadSlice('\n')
	l.number++
	if err == nil {
		return line, nil
	}
	l.long = l.long[:0]
	for {
		if l.long = append(l.long, line...); len(l.long) > l.most {
			return nil, l.tooLong("the line")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		line, err = l.from.ReadSlice('\n')
	}
	switch {
	case err == nil, errors.Is(err, io.EOF) && len(l.long) > 0:
		return l.long, nil
	case errors.Is(err, io.EOF):
		l.number--
		return nil, io.EOF
	}
	return nil, fmt.Errorf("cannot be read: %w", err)
}

func (l *lines) tooLong(what string) error {
	return fmt.Errorf("%s has more than %d bytes: is this the right format?", what, l.most)
}

// withoutEnd returns a line without its end, which is \n or \r\n.
func withoutEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
