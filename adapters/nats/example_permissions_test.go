package nats_test

import (
	"encoding/json"
	"fmt"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

// The users of a nats-server, for its configuration file. It reads JSON. The password may be a
// bcrypt hash.
func ExamplePermissions() {
	type user struct {
		User        string              `json:"user"`
		Password    string              `json:"password"`
		Permissions map[string][]string `json:"permissions"`
	}
	var users []user
	for name, role := range map[string]nats.Role{"web": nats.RoleSubmitter} { // a worker, an operator
		publish, subscribe := nats.Permissions("tasks", role)
		users = append(users, user{name, "$2a$11$…", map[string][]string{"publish": publish, "subscribe": subscribe}})
	}
	text, err := json.Marshal(users)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("authorization: { users: %.60s…\n", text)
	// Output:
	// authorization: { users: [{"user":"web","password":"$2a$11$…","permissions":{"publish…
}
