package flagvalue

import (
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// Setting is an entry of a menu with values for its parameters, and with its
// variants.
type Setting[T any] struct {
	// Name is the canonical form of the word that the user wrote: the same
	// parameters, in the usual notation. [Menu.Find] finds the setting by it.
	Name  string
	Value T

	code   string // a Go expression for the value, not formatted
	option string // see Menu
	full   string // the name with all parameters
}

// Option returns Go code of the option that applies the setting, formatted as by
// gofmt, such as
//
//	taskmanager.WithScaler(scale.Step(500 * time.Millisecond))
//
// It uses the packages taskmanager, scale, restart and time.
func (s Setting[T]) Option() string {
	code := strings.ReplaceAll(s.option, "$value", s.code)
	formatted, err := format.Source([]byte(code))
	if err != nil {
		panic(fmt.Sprintf("tasklab: the code of %s is wrong: %v", s.Name, err))
	}
	return string(formatted)
}

// Same reports whether two settings are the same, even if one has default values
// where the other has none.
func (s Setting[T]) Same(o Setting[T]) bool { return s.full == o.full }

// Choice is the value of a flag that names one entry of a menu.
type Choice[T any] struct {
	Setting[T] // the chosen one
	menu       *Menu[T]
}

// Choose returns a choice of the default entry.
func (m *Menu[T]) Choose() Choice[T] {
	return Choice[T]{m.Defaults()[0], m}
}

// Set chooses the setting that a word stands for. After an error the choice is as
// before.
func (c *Choice[T]) Set(word string) error {
	chosen, err := c.menu.Find(word)
	if err == nil {
		c.Setting = chosen
	}
	return err
}

// String returns the name of the chosen setting.
func (c *Choice[T]) String() string { return c.Name }

// Selection is the value of a flag that names several settings of a menu,
// separated by commas.
type Selection[T any] struct {
	Chosen []Setting[T]
	menu   *Menu[T]
}

// Select returns a selection whose default is a list of words. It panics if one
// of them is not in the menu.
func (m *Menu[T]) Select(list string) Selection[T] {
	s := Selection[T]{menu: m}
	if err := s.Set(list); err != nil {
		panic(err)
	}
	return s
}

// Set selects the settings in a list of words. After an error the selection is as
// before.
func (s *Selection[T]) Set(list string) error {
	var chosen []Setting[T]
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		found, err := s.menu.Find(word)
		if err != nil {
			return fmt.Errorf("%q: %w", word, err)
		}
		if slices.ContainsFunc(chosen, found.Same) {
			return fmt.Errorf("%q is there twice", word)
		}
		chosen = append(chosen, found)
	}
	s.Chosen = chosen
	return nil
}

// String returns the list of names.
func (s *Selection[T]) String() string {
	var names []string
	for _, c := range s.Chosen {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",")
}
