package taskmanager_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// The tasks of a batch need no names of their own.
func ExampleWithUniqueName() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	for _, image := range []string{"cat.png", "dog.png"} {
		_, err := m.SubmitFunc(ctx, "resize", func(ctx context.Context) error {
			h, _ := taskmanager.FromContext(ctx)
			fmt.Printf("%s, of kind %s, resizes %s\n", h.Name(), h.Status().Kind, image)
			return nil
		}, taskmanager.WithUniqueName())
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(m.Drain(ctx))
	// Output:
	// resize#1, of kind resize, resizes cat.png
	// resize#2, of kind resize, resizes dog.png
	// <nil>
}
