package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// named is something that can be asked for by its name.
type named[T any] struct {
	name, meaning string
	value         T
}

// choice is the value of a flag that is one of several. The name of a variant may
// stand behind that of a choice, after a +.
type choice[T any] struct {
	named[T] // the chosen one
	among    []named[T]
	variants []named[func(T) T]
}

// choose is a choice with the first as the default.
func choose[T any](among []named[T], variants ...named[func(T) T]) choice[T] {
	return choice[T]{among[0], among, variants}
}

// Set chooses.
func (c *choice[T]) Set(name string) error {
	parts := strings.Split(name, "+")
	chosen, ok := find(c.among, parts[0])
	for _, suffix := range parts[1:] {
		v, known := find(c.variants, suffix)
		if ok = ok && known; ok {
			chosen.value = v.value(chosen.value)
		}
	}
	if !ok {
		err := "choose one of " + names(c.among, "")
		if len(c.variants) > 0 {
			err += "; there may follow " + names(c.variants, "+")
		}
		return errors.New(err)
	}
	chosen.name = name
	c.named = chosen
	return nil
}

// String is the name of the chosen one.
func (c *choice[T]) String() string { return c.name }

// explain writes what there is to choose from.
func (c *choice[T]) explain(w io.Writer, title string) {
	say(w, "\n%s\n", title)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range c.among {
		say(columns, "  %s\t%s\n", n.name, n.meaning)
	}
	for _, v := range c.variants {
		say(columns, "  …+%s\t%s\n", v.name, v.meaning)
	}
	_ = columns.Flush() // as with say, there is nobody to tell
}

// find finds what has the name.
func find[T any](among []named[T], name string) (n named[T], ok bool) {
	i := slices.IndexFunc(among, func(n named[T]) bool { return n.name == name })
	if i < 0 {
		return n, false
	}
	return among[i], true
}

// names lists the names, each with a prefix.
func names[T any](among []named[T], prefix string) string {
	var list []string
	for _, n := range among {
		list = append(list, prefix+n.name)
	}
	return strings.Join(list, ", ")
}

// selection is the value of a flag that is some of several, with commas between.
type selection[T any] struct {
	chosen []named[T]
	from   choice[T]
}

// Set chooses.
func (s *selection[T]) Set(list string) error {
	var chosen []named[T]
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if err := s.from.Set(name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if _, twice := find(chosen, name); twice {
			return fmt.Errorf("%q is there twice", name)
		}
		chosen = append(chosen, s.from.named)
	}
	s.chosen = chosen
	return nil
}

// String is the list of the names of the chosen ones.
func (s *selection[T]) String() string {
	return strings.ReplaceAll(names(s.chosen, ""), " ", "")
}
