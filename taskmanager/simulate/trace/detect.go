package trace

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Detect returns the format of a file: [CSV], [SWF], or [OTLP] without a key. It goes by the end of the
// name, .csv, .swf, .json or .jsonl, each also with .gz, and otherwise by the content. The error says
// why the file cannot be read.
func Detect(name string) (Format, error) {
	return detect(name, func() (fs.File, error) { return os.Open(name) })
}

// DetectFS is like [Detect], for a file of fsys.
func DetectFS(fsys fs.FS, name string) (Format, error) {
	return detect(name, func() (fs.File, error) { return fsys.Open(name) })
}

func detect(name string, open func() (fs.File, error)) (Format, error) {
	file, content, err := opened(name, open)
	if err != nil {
		return Format{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	switch path.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".csv":
		return CSV(), nil
	case ".swf":
		return SWF(), nil
	case ".json", ".jsonl", ".ndjson":
		return OTLP(""), nil
	}
	return formatOf(content), nil
}

// formatOf returns the format of a content. In doubt it is CSV, whose errors say what CSV is.
func formatOf(content *bufio.Reader) Format {
	head, _ := content.Peek(content.Size()) // fewer bytes will do
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0, line[0] == '#':
			continue
		case line[0] == '{':
			return OTLP("")
		case line[0] == ';', split(line, nil) == swfColumns && bytes.IndexByte(line, ',') < 0:
			return SWF()
		}
		break
	}
	return CSV()
}
