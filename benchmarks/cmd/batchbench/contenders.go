package main

import (
	"context"
	"errors"
	"fmt"

	conciter "github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/stream"
	"golang.org/x/sync/errgroup"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// contender maps numbers, in order.
type contender struct {
	name     string
	constant bool // its memory does not depend on the number of items
	run      func(items, workers int) error
}

// contenders returns all contenders. The others are compared to the first one.
func contenders() []contender {
	return []contender{
		{"batch.Map", true, mapOfBatch()},
		{"batch.Map, 1000 in flight", true, mapOfBatch(batch.WithInFlight(1000))},
		{"conc/stream", true, streamOfConc},
		{"conc/iter.Mapper", false, mapperOfConc},
		{"errgroup", false, errgroupWithSlice},
	}
}

// square is what the items do: next to nothing.
func square(i int) int { return i * i }

// checker checks that the results come in order.
type checker struct{ n int }

func (c *checker) check(result int) error {
	if want := square(c.n); result != want {
		return fmt.Errorf("result %d is %d, want %d", c.n, result, want)
	}
	c.n++
	return nil
}

// complete checks that there were n results.
func (c *checker) complete(n int) error {
	if c.n != n {
		return fmt.Errorf("%d results, want %d", c.n, n)
	}
	return nil
}

// mapOfBatch uses the manager of this module.
func mapOfBatch(opts ...batch.Option) func(items, workers int) error {
	return func(items, workers int) error { return mapItems(items, workers, opts) }
}

func mapItems(n, workers int, opts []batch.Option) (err error) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, workers))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop(context.Background())) }()
	items := func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
	var c checker
	for result, err := range batch.Map(context.Background(), m, "square", items, func(_ context.Context, i int) (int, error) {
		return square(i), nil
	}, opts...) {
		if err == nil {
			err = c.check(result)
		}
		if err != nil {
			return err
		}
	}
	return c.complete(n)
}

func streamOfConc(n, workers int) (err error) {
	s := stream.New().WithMaxGoroutines(workers)
	var c checker
	for i := range n {
		s.Go(func() stream.Callback {
			result := square(i)
			return func() {
				if fault := c.check(result); fault != nil {
					err = fault
				}
			}
		})
	}
	s.Wait()
	return errors.Join(err, c.complete(n))
}

// numbers returns the items in a slice.
func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// checkAll checks results in a slice.
func checkAll(results []int, n int) error {
	var c checker
	for _, r := range results {
		if err := c.check(r); err != nil {
			return err
		}
	}
	return c.complete(n)
}

func mapperOfConc(n, workers int) error {
	mapper := conciter.Mapper[int, int]{MaxGoroutines: workers}
	results, err := mapper.MapErr(numbers(n), func(i *int) (int, error) { return square(*i), nil })
	if err != nil {
		return err
	}
	return checkAll(results, n)
}

func errgroupWithSlice(n, workers int) error {
	g, _ := errgroup.WithContext(context.Background())
	g.SetLimit(workers)
	items, results := numbers(n), make([]int, n)
	for i, item := range items {
		g.Go(func() error { results[i] = square(item); return nil })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return checkAll(results, n)
}
