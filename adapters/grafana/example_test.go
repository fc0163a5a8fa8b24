package grafana_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed56799101/taskmanager/adapters/grafana"
)

// A program provisions the dashboard and the rules: it writes them to the directories that Grafana and
// Prometheus read.
func Example() {
	dir, err := os.MkdirTemp("", "provisioning")
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range map[string]string{
		"taskmanager.json": grafana.Dashboard(),
		"taskmanager.yml":  grafana.Rules(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	if err := os.RemoveAll(dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// taskmanager.json
	// taskmanager.yml
}
