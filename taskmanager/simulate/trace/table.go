package trace

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/seed56799101/taskmanager/internal/text"
)

// table reads a table of comma-separated values with a header. Unlike package encoding/csv it
// limits the length of a row, keeps \r\n in quotes, and allocates nothing for a row.
type table struct {
	in       *input
	comma    byte
	comments bool // lines that begin with # are comments

	header []string
	line   int // where the last row begins
	fields [][]byte
	quoted []byte // the last row, if it has quotes
}

// readHeader reads the header.
func (t *table) readHeader() error {
	fields, err := t.read()
	if errors.Is(err, io.EOF) {
		return errors.New("there is no header, only comments or empty lines")
	}
	if err != nil {
		return err
	}
	for _, f := range fields {
		t.header = append(t.header, string(f))
	}
	return nil
}

// next returns the fields of the next row, which are valid until the next call. After the last row,
// the error is io.EOF. A header in the middle of a file is skipped, so that files can be
// concatenated.
func (t *table) next() ([][]byte, error) {
	for {
		fields, err := t.read()
		if err != nil {
			return nil, err
		}
		if len(fields) != len(t.header) {
			return nil, at(t.line, fmt.Errorf("the row has %s, but the header has %s",
				count(len(fields), "field"), count(len(t.header), "column")))
		}
		if !t.isHeader(fields) {
			return fields, nil
		}
	}
}

// each yields all rows, parsed.
func (t *table) each(yield func(row, error) bool, parse func(cells [][]byte) (row, error)) {
	for {
		var r row
		cells, err := t.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			r, err = parse(cells)
		}
		if !yield(r, err) || err != nil {
			return
		}
	}
}

func (t *table) isHeader(fields [][]byte) bool {
	for i, f := range fields {
		if string(f) != t.header[i] {
			return false
		}
	}
	return true
}

// read returns the fields of the next row or header.
func (t *table) read() ([][]byte, error) {
	for {
		line, err := t.in.lines.next()
		if err != nil {
			return nil, err
		}
		t.line = t.in.lines.number
		line = bytes.TrimLeft(line, " ")
		switch {
		case len(withoutEnd(line)) == 0:
			continue
		case t.comments && line[0] == '#':
			t.comment(line)
			continue
		}
		t.fields = t.fields[:0]
		if bytes.IndexByte(line, '"') >= 0 {
			return t.fields, at(t.line, t.split(line))
		}
		line = withoutEnd(line)
		for {
			end := bytes.IndexByte(line, t.comma)
			if end < 0 {
				t.fields = append(t.fields, trim(line))
				return t.fields, nil
			}
			t.fields = append(t.fields, trim(line[:end]))
			line = line[end+1:]
		}
	}
}

// comment reports a line in which the recorder says what is missing.
func (t *table) comment(line []byte) {
	if n, ok := bytes.CutPrefix(withoutEnd(line), []byte(droppedPrefix)); ok {
		t.in.skip(t.line, fmt.Errorf("the recorder dropped %s records", text.Clean(string(n), 20)))
	}
}

// split splits a row with quotes. It reads further lines if a quoted field has several.
func (t *table) split(line []byte) error {
	t.quoted = append(t.quoted[:0], line...)
	for i := 0; ; i++ {
		start := i
		for i < len(t.quoted) && t.quoted[i] == ' ' {
			i++
		}
		if i < len(t.quoted) && t.quoted[i] == '"' {
			field, next, err := t.unquote(i + 1)
			if err != nil {
				return err
			}
			t.fields = append(t.fields, field)
			i = next
		} else {
			rest := withoutEnd(t.quoted[start:])
			if end := bytes.IndexByte(rest, t.comma); end >= 0 {
				rest = rest[:end]
			}
			if bytes.IndexByte(rest, '"') >= 0 {
				return fmt.Errorf("field %d has a quote inside: put the field in quotes, and double the quotes in it", len(t.fields)+1)
			}
			t.fields = append(t.fields, trim(rest))
			i = start + len(rest)
		}
		if len(withoutEnd(t.quoted[i:])) == 0 {
			return nil
		}
		if t.quoted[i] != t.comma {
			return fmt.Errorf("field %d goes on after its closing quote: double the quotes in it", len(t.fields))
		}
	}
}

// unquote returns the quoted field whose content begins at i, and where the text continues after it.
func (t *table) unquote(i int) (field []byte, next int, err error) {
	start, end := i, i // the content moves to the front, as pairs of quotes become single ones
	for {
		if i == len(t.quoted) {
			line, err := t.in.lines.next()
			switch {
			case errors.Is(err, io.EOF):
				return nil, 0, fmt.Errorf("the quotes of field %d are not closed", len(t.fields)+1)
			case err != nil:
				return nil, 0, err
			case len(t.quoted)+len(line) > t.in.lines.most:
				return nil, 0, t.in.lines.tooLong("the row")
			}
			t.quoted = append(t.quoted, line...)
		}
		c := t.quoted[i]
		i++
		if c == '"' {
			if i == len(t.quoted) || t.quoted[i] != '"' {
				break
			}
			i++
		}
		t.quoted[end] = c
		end++
	}
	for i < len(t.quoted) && t.quoted[i] == ' ' {
		i++
	}
	return t.quoted[start:end], i, nil
}

// trim returns a field without the blanks around it.
func trim(field []byte) []byte { return bytes.Trim(field, " ") }

// quote quotes a text for an error.
func quote[S ~string | ~[]byte](s S) string {
	const most = 64
	return fmt.Sprintf("%q", text.Clean(string(s[:min(len(s), 2*most)]), most))
}

// count returns a number and a noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
