// A program that serves a dashboard, and fetches its page and the scripts of the page.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var asset = regexp.MustCompile(`"(assets/[^"]+)"`)

func main() {
	collector := dashboard.NewCollector()
	m, err := taskmanager.Start(taskmanager.WithObserver(collector))
	if err != nil {
		log.Fatal(err)
	}
	board := dashboard.New(dashboard.Manager("tasks", m, collector))
	server := httptest.NewServer(board)
	assets := asset.FindAllStringSubmatch(fetch(server.URL+"/"), -1)
	if len(assets) == 0 {
		log.Fatal("the page names no assets")
	}
	for _, one := range assets {
		fetch(server.URL + "/" + one[1])
	}
	fmt.Println(fetch(server.URL + "/api/v1/meta"))
	board.Close()
	server.Close()
	if err := m.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func fetch(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || len(body) == 0 {
		log.Fatalf("%s: status %d, %d bytes, %v", url, answer.StatusCode, len(body), err)
	}
	return string(body)
}
