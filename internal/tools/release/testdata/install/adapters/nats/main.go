// A program that names the subjects of a submitter. There is no server to connect to.
package main

import (
	"fmt"
	"log"

	natsgo "github.com/nats-io/nats.go"
	"github.com/seed56799101/taskmanager/adapters/nats"
)

func main() {
	publish, subscribe := nats.Permissions("tasks", nats.RoleSubmitter)
	if len(publish) == 0 || len(subscribe) == 0 {
		log.Fatal("a submitter may do nothing")
	}
	fmt.Println(publish, subscribe)
	if _, err := natsgo.Connect("nats://127.0.0.1:1", nats.ConnOptions(nil)...); err == nil {
		log.Fatal("connected to nothing")
	}
}
