// Command generate writes the Grafana dashboard to the file dashboard.json of the current directory.
package main

import (
	"log"
	"os"

	"github.com/seed56799101/taskmanager/adapters/grafana/internal/board"
)

func main() {
	text, err := board.JSON()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("dashboard.json", text, 0o644); err != nil {
		log.Fatal(err)
	}
}
