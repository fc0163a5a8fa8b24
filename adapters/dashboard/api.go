package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/observe"
)

// failure is an error with the status of the answer.
type failure struct {
	status int
	text   string
}

// Error returns the text for the client.
func (f *failure) Error() string { return f.text }

// badRequest returns the failure of a request with an invalid argument.
func badRequest(format string, args ...any) error {
	return &failure{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if f, ok := errors.AsType[*failure](err); ok {
		status = f.status
	}
	body, _ := json.Marshal(struct { //nolint:errchkjson // a string
		Error string `json:"error"`
	}{text.Block(err.Error(), text.ErrorLimit)})
	w.Header().Set("Content-Type", "application/json")
	respond(w, status, body)
}

// readers are the answers to GET requests about a manager.
var readers = map[string]func(x *managed, args url.Values) (any, error){
	"overview":  (*managed).getOverview,
	"series":    (*managed).getSeries,
	"tasks":     (*managed).getTasks,
	"task":      (*managed).getTask,
	"workers":   (*managed).getWorkers,
	"queue":     (*managed).getQueue,
	"history":   (*managed).getHistory,
	"kinds":     (*managed).getKinds,
	"keys":      (*managed).getKeys,
	"decisions": (*managed).getDecisions,
}

// serveAPI answers a request for data, or for an action. No other site may make one.
func (d *Dashboard) serveAPI(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Cache-Control", "no-store")
	asWrite := r.WithContext(r.Context())
	asWrite.Method = http.MethodPost // other sites may not read either
	if err := d.origins.Check(asWrite); err != nil {
		fail(w, &failure{http.StatusForbidden, "requests from pages of other sites are refused"})
		return
	}
	if name == "actions" {
		d.serveAction(w, r)
		return
	}
	if r.Method != http.MethodGet && (r.Method != http.MethodHead || name == "events") {
		refuseMethod(w, "GET")
		return
	}
	if name == "events" {
		d.serveEvents(w, r)
		return
	}
	args, err := arguments(r)
	if err != nil {
		fail(w, err)
		return
	}
	answer, err := d.read(r.Context(), name, args)
	if err != nil {
		fail(w, err)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		fail(w, fmt.Errorf("dashboard: the answer cannot be written as JSON: %w", err))
		return
	}
	send(w, "application/json", body)
}

// read returns the answer to a GET request.
func (d *Dashboard) read(ctx context.Context, name string, args url.Values) (any, error) {
	if name == "meta" && d.shows(args.Get("m")) {
		return d.meta(), nil
	}
	if reader := clusterReaders[name]; reader != nil {
		x, err := d.cluster(args.Get("m"))
		if err != nil {
			return nil, err
		}
		return reader(x, ctx, args)
	}
	x, err := d.manager(args.Get("m"))
	if err != nil {
		return nil, err
	}
	if name == "schedules" {
		return d.schedules(x), nil
	}
	if reader := readers[name]; reader != nil {
		return reader(x, args)
	}
	return nil, &failure{http.StatusNotFound, "there is no such data; see the documentation of package dashboard"}
}

// manager returns the manager with a name, or the first one if the name is empty.
func (d *Dashboard) manager(name string) (*managed, error) {
	if name == "" && len(d.managers) > 0 {
		return d.managers[0], nil
	}
	if x := d.byName[name]; x != nil {
		return x, nil
	}
	return nil, &failure{http.StatusNotFound, "there is no manager of that name"}
}

// cluster returns the cluster with a name, or the first one if the name is empty.
func (d *Dashboard) cluster(name string) (*clustered, error) {
	for _, x := range d.clusters {
		if name == "" || x.name == name {
			return x, nil
		}
	}
	return nil, &failure{http.StatusNotFound, "there is no cluster of that name"}
}

// shows reports whether there is a manager or a cluster with a name. An empty name stands for the first one.
func (d *Dashboard) shows(name string) bool {
	_, noManager := d.manager(name)
	_, noCluster := d.cluster(name)
	return noManager == nil || noCluster == nil
}

// arguments returns the arguments of a request.
func arguments(r *http.Request) (url.Values, error) {
	args, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the arguments in the URL are malformed: %v", err)
	}
	return args, nil
}

// number returns an argument within bounds, or the default if the request does not have it.
func number(args url.Values, name string, otherwise, least, most int) (int, error) {
	given := args.Get(name)
	if given == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(given, 10, 64) // so that all processors accept the same numbers
	if err != nil {
		return 0, badRequest("%s is %.40q; it must be a number from %d to %d", name, given, least, most)
	}
	return int(min(max(n, int64(least)), int64(most))), nil
}

// mostSkipped bounds the argument skip. The sum with a limit is an int on all processors.
const mostSkipped = 1 << 30

// span is a part of a list.
type span struct{ skip, limit int }

// spanOf returns the part of a list that a request asks for.
func spanOf(args url.Values, otherwise, most int) (s span, err error) {
	var errSkip, errLimit error
	s.skip, errSkip = number(args, "skip", 0, 0, mostSkipped)
	s.limit, errLimit = number(args, "limit", otherwise, 1, most)
	return s, errors.Join(errSkip, errLimit)
}

// of returns the part of a list.
func of[T any](s span, list []T) []T {
	list = list[min(s.skip, len(list)):]
	return list[:min(s.limit, len(list))]
}

// managerInfo describes a manager.
type managerInfo struct {
	Name       string        `json:"name"`
	Collector  bool          `json:"collector"`
	Fair       bool          `json:"fair"`
	State      observe.State `json:"state"`
	Discipline string        `json:"discipline"`
	Scaler     string        `json:"scaler"`
	Limit      int           `json:"limit"`
	Overflow   string        `json:"overflow"`
}

// metaAnswer describes the dashboard.
type metaAnswer struct {
	Title    string        `json:"title"`
	Version  string        `json:"version"`
	Now      float64       `json:"now"`
	TraceURL string        `json:"traceURL"`
	Columns  []string      `json:"columns"`
	Actions  []Action      `json:"actions"`
	Managers []managerInfo `json:"managers"`
	Clusters []clusterInfo `json:"clusters"`
}

// clusterInfo describes a cluster.
type clusterInfo struct {
	Name string `json:"name"`
}

func (d *Dashboard) meta() metaAnswer {
	answer := metaAnswer{
		Title: d.title, Version: assets().version, Now: unix(time.Now()), TraceURL: d.traceURL,
		Columns: columns[:], Actions: append([]Action{}, d.actions...),
		Managers: []managerInfo{}, Clusters: []clusterInfo{},
	}
	for _, x := range d.clusters {
		answer.Clusters = append(answer.Clusters, clusterInfo{x.name})
	}
	for _, x := range d.managers {
		is := x.m.Describe()
		answer.Managers = append(answer.Managers, managerInfo{
			Name: x.name, Collector: x.collector != nil, Fair: x.fair(time.Now().Add(askingTime)), State: is.State, Limit: is.Limit,
			Discipline: text.Line(is.Discipline, text.NameLimit), Scaler: text.Line(is.Scaler, text.NameLimit),
			Overflow: text.Line(is.Overflow, text.NameLimit),
		})
	}
	return answer
}
