// Package flagvalue has the values of command-line flags that name an entry of
// a menu, and collects what is wrong with the flags that a user gave.
package flagvalue

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Named is a value that flags refer to by its name.
type Named[T any] struct {
	Name    string
	Meaning string // one line, for the help
	Value   T
}

// Menu lists the values that a flag can name. The first entry is the default.
// Variants modify an entry: their names follow its name, each after a +, as in
// demand+stabilise.
type Menu[T any] struct {
	Title    string // heads the menu in the help
	Entries  []Named[T]
	Variants []Named[func(T) T]
}

// Find returns the entry that a name stands for, with its variants applied.
func (m *Menu[T]) Find(name string) (Named[T], error) {
	parts := strings.Split(name, "+")
	found, ok := find(m.Entries, parts[0])
	if !ok {
		return found, m.unknown()
	}
	for _, part := range parts[1:] {
		variant, ok := find(m.Variants, part)
		if !ok {
			return found, m.unknown()
		}
		found.Value = variant.Value(found.Value)
	}
	found.Name = name
	return found, nil
}

// unknown returns the error for a name that is not in the menu.
func (m *Menu[T]) unknown() error {
	text := "choose one of " + join(m.Entries, "")
	if len(m.Variants) > 0 {
		text += "; there may follow " + join(m.Variants, "+")
	}
	return errors.New(text)
}

// Names lists the names of the entries and of the variants.
func (m *Menu[T]) Names() (names []string) {
	for _, e := range m.Entries {
		names = append(names, e.Name)
	}
	for _, v := range m.Variants {
		names = append(names, v.Name)
	}
	return names
}

// Explain writes the menu's part of the help.
func (m *Menu[T]) Explain(w io.Writer) {
	output.Say(w, "\n%s\n", m.Title)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range m.Entries {
		output.Say(columns, "  %s\t%s\n", e.Name, e.Meaning)
	}
	for _, v := range m.Variants {
		output.Say(columns, "  …+%s\t%s\n", v.Name, v.Meaning)
	}
	_ = columns.Flush() // see Say
}

// find finds the value with a name.
func find[T any](among []Named[T], name string) (n Named[T], ok bool) {
	i := slices.IndexFunc(among, func(n Named[T]) bool { return n.Name == name })
	if i < 0 {
		return n, false
	}
	return among[i], true
}

// join lists the names, each after a prefix.
func join[T any](among []Named[T], prefix string) string {
	var names []string
	for _, n := range among {
		names = append(names, prefix+n.Name)
	}
	return strings.Join(names, ", ")
}

// Choice is the value of a flag that names one entry of a menu.
type Choice[T any] struct {
	Named[T] // the chosen entry
	menu     *Menu[T]
}

// Choose returns a choice of the default entry.
func (m *Menu[T]) Choose() Choice[T] { return Choice[T]{m.Entries[0], m} }

// Set chooses the entry with a name. After an error the choice is as before.
func (c *Choice[T]) Set(name string) error {
	chosen, err := c.menu.Find(name)
	if err == nil {
		c.Named = chosen
	}
	return err
}

// String returns the name of the chosen entry.
func (c *Choice[T]) String() string { return c.Name }

// Selection is the value of a flag that names several entries of a menu,
// separated by commas.
type Selection[T any] struct {
	Chosen []Named[T]
	menu   *Menu[T]
}

// Select returns a selection whose default is a list of names. It panics if one
// of them is not in the menu.
func (m *Menu[T]) Select(list string) Selection[T] {
	s := Selection[T]{menu: m}
	if err := s.Set(list); err != nil {
		panic(err)
	}
	return s
}

// Set selects the entries in a list of names. After an error the selection is
// as before.
func (s *Selection[T]) Set(list string) error {
	var chosen []Named[T]
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		entry, err := s.menu.Find(name)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if _, twice := find(chosen, name); twice {
			return fmt.Errorf("%q is there twice", name)
		}
		chosen = append(chosen, entry)
	}
	s.Chosen = chosen
	return nil
}

// String returns the list of names.
func (s *Selection[T]) String() string {
	return strings.ReplaceAll(join(s.Chosen, ""), " ", "")
}
