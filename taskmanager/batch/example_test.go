package batch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// The items are in a slice. The results come in the same order, each as soon as possible.
func ExampleMap() {
	ctx := context.Background()
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	words := []string{"ant", "bee", "cat"}
	for upper, err := range batch.Map(ctx, m, "upper", slices.Values(words), func(_ context.Context, word string) (string, error) {
		return strings.ToUpper(word), nil
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(upper)
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// ANT
	// BEE
	// CAT
	// <nil>
}

// lines yields the lines of a text. It could read a file of any size.
func lines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}

// The items come from a sequence, which is read as far as needed. The loop may break at any time.
func ExampleMap_sequence() {
	ctx := context.Background()
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	for n, err := range batch.Map(ctx, m, "count", lines("one\nfour\nthree\nsix"), func(_ context.Context, line string) (int, error) {
		return len(line), nil
	}, batch.WithInFlight(2)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n)
		if n > 4 {
			break
		}
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// 3
	// 4
	// 5
	// <nil>
}

// The batch stops at the first error, which tells the item.
func ExampleForEach() {
	ctx := context.Background()
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	files := []string{"a.png", "b.txt", "c.png"}
	err = batch.ForEach(ctx, m, "resize", slices.Values(files), func(_ context.Context, file string) error {
		if !strings.HasSuffix(file, ".png") {
			return errors.New("not a picture")
		}
		return nil
	}, batch.WithTaskOptions(taskmanager.WithTimeout(time.Minute)))
	fmt.Println(err)
	if e, ok := errors.AsType[*batch.ItemError](err); ok {
		fmt.Println("failed:", files[e.Index])
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: item 1, task "resize#2": not a picture
	// failed: b.txt
	// <nil>
}

// The batch continues after errors, returns all of them, and reports its progress.
func ExampleForEach_collect() {
	ctx := context.Background()
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	var last int
	err = batch.ForEach(ctx, m, "check", slices.Values([]int{1, 2, 3, 4}), func(_ context.Context, n int) error {
		if n%2 == 0 {
			return fmt.Errorf("%d is even", n)
		}
		return nil
	}, batch.WithCollect(), batch.WithProgress(func(done int) { last = done }))
	fmt.Println(err)
	fmt.Println(last, "items are done")
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: item 1, task "check#2": 2 is even
	// taskmanager: item 3, task "check#4": 4 is even
	// 4 items are done
	// <nil>
}
