package flagvalue

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values are the values of the parameters of one entry, in their order.
type Values struct {
	Weights    []Weight // sorted by key
	parameters []Parameter
	numbers    []float64
}

// Weight is the weight of a key.
type Weight struct {
	Key    string
	Weight int
}

// MostWeight is the largest weight of a key that queue.Fair distinguishes.
const MostWeight = 1 << 20

// Duration returns the value of parameter i, counted from 0.
func (v Values) Duration(i int) time.Duration { return time.Duration(v.numbers[i]) }

// Count returns the value of parameter i.
func (v Values) Count(i int) int { return int(v.numbers[i]) }

// Number returns the value of parameter i.
func (v Values) Number(i int) float64 { return v.numbers[i] }

// Fraction returns the value of parameter i, a percentage, as a fraction.
func (v Values) Fraction(i int) float64 { return fraction(v.numbers[i]) }

// parse reads the parameters that follow a name.
func parse(name string, arguments []string, parameters []Parameter, weighted bool) (Values, error) {
	v := Values{parameters: parameters}
	if weighted {
		var err error
		if v.Weights, err = ParseWeights(arguments); err != nil {
			return v, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}
	if len(arguments) > len(parameters) {
		extra := arguments[len(parameters)]
		if len(parameters) == 0 {
			return v, fmt.Errorf("%s takes no parameters; leave out %q", name, ":"+extra)
		}
		var names []string
		for _, p := range parameters {
			names = append(names, p.Name)
		}
		return v, fmt.Errorf("%s takes only :%s; leave out %q", name, strings.Join(names, ":"), ":"+extra)
	}
	for i, p := range parameters {
		number := p.Default
		if i < len(arguments) {
			var err error
			if number, err = p.parse(arguments[i]); err != nil {
				return v, fmt.Errorf("%s: %w", name, err)
			}
		}
		v.numbers = append(v.numbers, number)
	}
	return v, nil
}

// ParseWeights reads weights of keys, such as a=3. It returns them in the order of
// the keys.
func ParseWeights(words []string) (all []Weight, err error) {
	for _, word := range words {
		key, number, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > MostWeight {
			return nil, fmt.Errorf("%q is not a weight; write KEY=WEIGHT, with a weight from 1 to %d", word, MostWeight)
		}
		if slices.ContainsFunc(all, func(w Weight) bool { return w.Key == key }) {
			return nil, fmt.Errorf("the key %q is there twice", key)
		}
		all = append(all, Weight{key, n})
	}
	slices.SortFunc(all, func(a, b Weight) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// FormatWeights returns the words that [ParseWeights] reads.
func FormatWeights(all []Weight) (words []string) {
	for _, w := range all {
		words = append(words, fmt.Sprintf("%s=%d", w.Key, w.Weight))
	}
	return words
}

// name returns the canonical form of a name with its first n parameters.
func (v Values) name(name string, n int) string {
	for i, p := range v.parameters[:min(n, len(v.parameters))] {
		name += ":" + p.Format(v.numbers[i])
	}
	return strings.Join(append([]string{name}, FormatWeights(v.Weights)...), ":")
}

// expand fills the values into Go code.
func (v Values) expand(code, inner string) string {
	return os.Expand(code, func(name string) string {
		switch name {
		case "inner":
			return inner
		case "weights":
			return v.weightsCode()
		}
		i := slices.IndexFunc(v.parameters, func(p Parameter) bool { return p.Name == name })
		if i < 0 {
			panic("tasklab: the code " + code + " has an unknown parameter " + name)
		}
		return v.parameters[i].code(v.numbers[i])
	})
}

// weightsCode returns a Go function that returns the weight of a key.
func (v Values) weightsCode() string {
	if len(v.Weights) == 0 {
		return "nil"
	}
	var cases strings.Builder
	for _, w := range v.Weights {
		fmt.Fprintf(&cases, "case %q:\nreturn %d\n", w.Key, w.Weight)
	}
	return "func(key string) int {\nswitch key {\n" + cases.String() + "}\nreturn 1\n}"
}

// WeightOf returns the weight of a key, which is 1 if there is no other.
func (v Values) WeightOf(key string) int {
	for _, w := range v.Weights {
		if w.Key == key {
			return w.Weight
		}
	}
	return 1
}

// WeightFunc returns a function that returns the weight of a key, or nil if there
// are no weights.
func (v Values) WeightFunc() func(key string) int {
	if len(v.Weights) == 0 {
		return nil
	}
	return v.WeightOf
}
