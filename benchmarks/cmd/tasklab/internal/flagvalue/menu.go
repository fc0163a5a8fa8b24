// Package flagvalue has the values of command-line flags that name entries of
// menus, and collects what is wrong with the flags that a user gave.
//
// The name of an entry may be followed by parameters, each after a colon, and
// then by variants, each after a plus sign and with parameters of its own:
//
//	targetwait
//	targetwait:200ms:99
//	step:1s+stabilise:10s+tolerance
//	fair:a=3:b=1
//
// Parameters may be left out from the last one on: they then have their default
// values. An [Entry] declares its parameters once. Parsing, errors, help,
// canonical names and Go code follow from the declaration.
package flagvalue

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Menu lists the values that a flag can name. The first entry, without
// parameters, is the default.
type Menu[T any] struct {
	Title    string // heads the menu in the help
	Option   string // the Go code of an option with a value, which $value stands for
	Entries  []Entry[T]
	Variants []Variant[T]
}

// Entry is a value of a menu, or a family of values with parameters.
type Entry[T any] struct {
	Name       string
	Meaning    string // one line, for the help
	Parameters []Parameter
	Weighted   bool             // takes any number of weights of keys instead of parameters
	Make       func(v Values) T // makes the value; see also Always
	Code       string           // a Go expression for the value; $wait stands for the parameter wait, and $weights for the weights
}

// Variant modifies the value of an entry.
type Variant[T any] struct {
	Name       string
	Meaning    string
	Parameters []Parameter
	Make       func(v Values, inner T) T
	Code       string // $inner stands for the code of the value that is modified
}

// Always returns a function that makes the same value each time, for an entry
// without parameters.
func Always[T any](value T) func(Values) T { return func(Values) T { return value } }

// Find returns the setting that a word stands for. The error says which part of
// the word is wrong, and what is allowed there.
func (m *Menu[T]) Find(word string) (Setting[T], error) {
	parts := strings.Split(word, "+")
	name, arguments := split(parts[0])
	i := slices.IndexFunc(m.Entries, func(e Entry[T]) bool { return e.Name == name })
	if i < 0 {
		return Setting[T]{}, m.unknown(name, word)
	}
	entry := m.Entries[i]
	values, err := parse(name, arguments, entry.Parameters, entry.Weighted)
	if err != nil {
		return Setting[T]{}, err
	}
	s := Setting[T]{
		Name:   values.name(name, len(arguments)),
		Value:  entry.Make(values),
		code:   values.expand(entry.Code, ""),
		option: m.Option,
		full:   values.name(name, len(entry.Parameters)),
	}
	for _, part := range parts[1:] {
		name, arguments := split(part)
		i := slices.IndexFunc(m.Variants, func(v Variant[T]) bool { return v.Name == name })
		if i < 0 {
			return Setting[T]{}, m.unknown(name, word)
		}
		variant := m.Variants[i]
		values, err := parse(name, arguments, variant.Parameters, false)
		if err != nil {
			return Setting[T]{}, err
		}
		s.Name += "+" + values.name(name, len(arguments))
		s.Value = variant.Make(values, s.Value)
		s.code = values.expand(variant.Code, s.code)
		s.full += "+" + values.name(name, len(variant.Parameters))
	}
	return s, nil
}

// Defaults returns a setting for each entry, with the default values of its
// parameters and without variants.
func (m *Menu[T]) Defaults() (all []Setting[T]) {
	for _, e := range m.Entries {
		s, err := m.Find(e.Name)
		if err != nil {
			panic(err) // the menu is wrong
		}
		all = append(all, s)
	}
	return all
}

// split separates a name from its parameters.
func split(part string) (name string, arguments []string) {
	words := strings.Split(part, ":")
	return words[0], words[1:]
}

// unknown returns the error for a name that is not in the menu.
func (m *Menu[T]) unknown(name, word string) error {
	text := "choose one of " + strings.Join(m.entryNames(), ", ")
	if len(m.Variants) > 0 {
		text += "; there may follow +" + strings.Join(m.variantNames(), ", +")
	}
	if name != word {
		text = fmt.Sprintf("%q: %s", name, text)
	}
	return fmt.Errorf("%s", text)
}

// Names lists the names of the entries and of the variants.
func (m *Menu[T]) Names() []string { return slices.Concat(m.entryNames(), m.variantNames()) }

func (m *Menu[T]) entryNames() (names []string) {
	for _, e := range m.Entries {
		names = append(names, e.Name)
	}
	return names
}

func (m *Menu[T]) variantNames() (names []string) {
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
		explain(columns, e.Parameters)
		if e.Weighted {
			output.Say(columns, "\t  :KEY=WEIGHT  the weight of a key, 1 to %d; may be repeated; other keys have 1\n", MostWeight)
		}
	}
	for _, v := range m.Variants {
		output.Say(columns, "  …+%s\t%s\n", v.Name, v.Meaning)
		explain(columns, v.Parameters)
	}
	_ = columns.Flush() // see Say
	if example := m.example(); example != "" {
		output.Say(w, "Parameters follow the name, as in %s. The last ones may be left out.\n", example)
	}
}

// example returns the entry with the most parameters and their defaults, or "" if
// no entry has any.
func (m *Menu[T]) example() (example string) {
	most := 0
	for _, e := range m.Entries {
		if n := len(e.Parameters); n > most {
			most, example = n, e.Name
			for _, p := range e.Parameters {
				example += ":" + p.Format(p.Default)
			}
		}
	}
	return example
}

// explain writes a line for each parameter.
func explain(w io.Writer, parameters []Parameter) {
	for _, p := range parameters {
		output.Say(w, "\t  :%s\n", p.explanation())
	}
}
