package policy

import (
	"slices"
	"strings"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
)

// form is a word of a menu, such as targetwait+stabilise, with parameters to choose: those that
// the user did not give.
type form struct {
	parts  []part
	chosen []flagvalue.Parameter // of all parts, in the order of the word
}

// part is what a form has between two plus signs.
type part struct {
	given string // the name and the given parameters
	more  int    // how many parameters are to be chosen
}

// newForm returns the form of a word of a menu.
func newForm[T any](menu *flagvalue.Menu[T], word string) (f form) {
	for i, text := range strings.Split(word, "+") {
		name, arguments, _ := strings.Cut(text, ":")
		given := 0
		if arguments != "" {
			given = 1 + strings.Count(arguments, ":")
		}
		open := open(parameters(menu, name, i > 0), given)
		f.parts = append(f.parts, part{text, len(open)})
		f.chosen = append(f.chosen, open...)
	}
	return f
}

// parameters returns the parameters of an entry or a variant.
func parameters[T any](menu *flagvalue.Menu[T], name string, variant bool) []flagvalue.Parameter {
	if variant {
		i := slices.IndexFunc(menu.Variants, func(v flagvalue.Variant[T]) bool { return v.Name == name })
		return menu.Variants[i].Parameters
	}
	i := slices.IndexFunc(menu.Entries, func(e flagvalue.Entry[T]) bool { return e.Name == name })
	return menu.Entries[i].Parameters
}

// open returns the parameters to choose: from the first that is not given to the last one before
// one that is not a number by default. That one is then left out: with fixed, the number of
// workers is their maximum.
func open(all []flagvalue.Parameter, given int) []flagvalue.Parameter {
	if given >= len(all) {
		return nil
	}
	all = all[given:]
	end := slices.IndexFunc(all, func(p flagvalue.Parameter) bool { return p.Default < p.Least || p.Default > p.Most })
	if end >= 0 {
		all = all[:end]
	}
	return all
}

// word returns the word with values for the parameters. It leaves out defaults at the end of a part.
func (f form) word(values []float64) string {
	var parts []string
	next := 0
	for _, p := range f.parts {
		end := next + p.more
		last := end
		for last > next && values[last-1] == f.chosen[last-1].Default {
			last--
		}
		words := []string{p.given}
		for i := next; i < last; i++ {
			words = append(words, f.chosen[i].Format(values[i]))
		}
		parts = append(parts, strings.Join(words, ":"))
		next = end
	}
	return strings.Join(parts, "+")
}

// defaults returns the default values of the parameters to choose.
func (f form) defaults() (values []float64) {
	for _, p := range f.chosen {
		values = append(values, p.Default)
	}
	return values
}
