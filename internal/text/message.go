package text

import (
	"fmt"
	"strconv"
	"strings"
)

// Count returns n with a noun, which has an s unless n is 1: "1 task", "2 tasks".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const (
	mostNames = 10  // in a list
	mostBytes = 100 // of a name
)

// Names returns a list of quoted names for a message: at most ten of them, and how many more
// there are: those in names, and further ones that the caller has left out. A long name is cut.
func Names(names []string, further int) string {
	first := names[:min(len(names), mostNames)]
	quoted := make([]string, len(first))
	for i, name := range first {
		quoted[i] = Name(name)
	}
	return List(quoted, further+len(names)-len(first))
}

// Name returns a quoted name for a message. A long name is cut.
func Name(name string) string { return strconv.Quote(Clean(name, mostBytes)) }

// List returns a list for a message: at most ten items, and how many more there are: those in
// items, and further ones that the caller has left out.
func List(items []string, further int) string {
	first := items[:min(len(items), mostNames)]
	list := strings.Join(first, ", ")
	if further += len(items) - len(first); further > 0 {
		list += fmt.Sprintf(" and %d more", further)
	}
	return list
}
