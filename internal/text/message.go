package text

import (
	"fmt"
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
	var b strings.Builder
	for i, name := range names[:min(len(names), mostNames)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", Clean(name, mostBytes))
	}
	if more := len(names) - mostNames; more > 0 {
		further += more
	}
	if further > 0 {
		fmt.Fprintf(&b, " and %d more", further)
	}
	return b.String()
}
