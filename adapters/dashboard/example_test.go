package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// A server with a dashboard at /debug/tasks/, whose data a program reads.
func Example() {
	collector := dashboard.NewCollector()
	m, err := taskmanager.Start(taskmanager.WithObserver(collector))
	if err != nil {
		log.Fatal(err)
	}
	d := dashboard.New(dashboard.Manager("images", m, collector), dashboard.Title("Images"))
	mux := http.NewServeMux()
	mux.Handle("/debug/tasks/", d)
	server := httptest.NewServer(mux)

	ctx := context.Background()
	h, err := m.SubmitFunc(ctx, "thumbnail/42", func(context.Context) error { return errors.New("no such image") })
	if err != nil {
		log.Fatal(err)
	}
	<-h.Done()

	resp, err := http.Get(server.URL + "/debug/tasks/api/v1/history?outcome=failure")
	if err != nil {
		log.Fatal(err)
	}
	var failures struct {
		Executions []struct{ Name, Error string }
	}
	err = json.NewDecoder(resp.Body).Decode(&failures)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		log.Fatal(err)
	}
	for _, e := range failures.Executions {
		fmt.Printf("%s: %s\n", e.Name, e.Error)
	}

	d.Close() // before the server, which waits for streams
	server.Close()
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// thumbnail/42: no such image
}

// A dashboard on which logged-in operators may cancel tasks and pause the manager.
func ExampleActions() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	allow := func(r *http.Request, _ dashboard.Action, _ string) error {
		if user, _, ok := r.BasicAuth(); !ok || user != "operator" { // a middleware has checked the password
			return errors.New("only operators may do that")
		}
		return nil
	}
	d := dashboard.New(dashboard.Manager("images", m), dashboard.Actions(allow, dashboard.Cancel, dashboard.Pause))

	h, err := m.SubmitFunc(context.Background(), "thumbnail/42", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"guest", "operator"} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/actions", strings.NewReader(`{"manager":"images","action":"cancel","name":"thumbnail/42"}`))
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth(user, "secret")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		fmt.Println(w.Code, http.StatusText(w.Code))
	}
	<-h.Done()
	fmt.Println(errors.Is(h.Err(), taskmanager.ErrCancelled))

	d.Close()
	if err := m.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 403 Forbidden
	// 204 No Content
	// true
}
