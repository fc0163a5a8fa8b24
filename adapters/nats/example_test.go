package nats_test

import (
	"context"
	"fmt"
	"log"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Thumbnail is the payload of a task. Its method Kind returns the kind of the task.
type Thumbnail struct{ ID int }

// Kind returns the kind of the task.
func (Thumbnail) Kind() string { return "thumbnail" }

func open(ctx context.Context) *nats.Client {
	nc, err := natsgo.Connect(natsgo.DefaultURL, nats.ConnOptions(nil)...)
	if err != nil {
		log.Fatal(err)
	}
	c, err := nats.Open(ctx, nc)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func Example_submitter() {
	ctx := context.Background()
	c := open(ctx)
	if _, err := nats.Submit(ctx, c, "thumbnails/42", Thumbnail{42}); err != nil {
		log.Fatal(err)
	}
}

func Example_worker() {
	ctx := context.Background()
	c := open(ctx)
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	w, err := nats.NewWorker(c, m)
	if err != nil {
		log.Fatal(err)
	}
	err = nats.Handle(w, "thumbnail", func(_ context.Context, in Thumbnail) error {
		fmt.Println("make thumbnail", in.ID)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// The result is kept for an hour, unless WithResult sets another time.
func ExampleAsync() {
	ctx := context.Background()
	c := open(ctx)
	f, err := nats.Async[string](ctx, c, "thumbnails/42", Thumbnail{42}) // its handler is one of HandleResult
	if err != nil {
		log.Fatal(err)
	}
	path, err := f.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}

func ExampleSubmitAll() {
	ctx := context.Background()
	c := open(ctx)
	var items []nats.Item[Thumbnail]
	for id := range 500 {
		items = append(items, nats.Item[Thumbnail]{Name: fmt.Sprint("thumbnails/", id), In: Thumbnail{id}})
	}
	if _, err := nats.SubmitAll(ctx, c, items, nats.WithPriority(nats.Low), nats.WithTimeout(time.Minute)); err != nil {
		log.Fatal(err)
	}
}

// midnight is a timetable. Package adapters/cron makes timetables of cron expressions.
type midnight struct{}

// Next returns the next midnight in UTC.
func (midnight) Next(after time.Time) time.Time {
	y, m, d := after.UTC().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}

// Any number of processes may run this. At each midnight, one of them submits the task.
func ExampleRepeat() {
	ctx := context.Background()
	c := open(ctx)
	s, err := nats.Repeat(ctx, c, midnight{}, "clean up", struct{}{}, nats.WithKind("cleanup"))
	if err != nil {
		log.Fatal(err)
	}
	<-s.Done()
}

// The program retries the dead letters with a certain reason.
func ExampleClient_DeadLetters() {
	ctx := context.Background()
	c := open(ctx)
	for d, err := range c.DeadLetters(ctx, "thumbnail") {
		if err != nil {
			log.Fatal(err)
		}
		if d.Reason != "disk full" {
			continue
		}
		if _, err := c.Retry(ctx, d); err != nil {
			log.Print(err)
		}
	}
}
