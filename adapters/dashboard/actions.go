package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// bodyLimit is the length of the longest body of a request, in bytes. There is room for each name that has a page
// and for a kind as long, of which JSON may escape each byte as six.
const bodyLimit = 8 << 10

// command is the body of a request for an action.
type command struct {
	Manager string `json:"manager"`
	Action  string `json:"action"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`   // of a dead letter
	Letter  string `json:"letter"` // the ID of a dead letter
	Min     *int   `json:"min"`
	Max     *int   `json:"max"`
}

// resume is the action that undoes Pause, and is allowed with it.
const resume = "resume"

// permission returns the action that must be allowed, and the task or schedule that it is about.
func (c *command) permission() (a Action, task string) {
	switch a = Action(c.Action); a {
	case resume:
		return Pause, ""
	case Cancel, Run, Retry, Delete:
		return a, c.Name
	}
	return a, ""
}

// serveAction does what a user asks for, if that is allowed.
func (d *Dashboard) serveAction(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuseMethod(w, "POST")
		return
	}
	if err := d.act(w, r); err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusNoContent, nil)
}

func (d *Dashboard) act(w http.ResponseWriter, r *http.Request) error {
	if len(d.actions) == 0 {
		err := &failure{http.StatusForbidden, "the dashboard is read-only; the option Actions of package dashboard allows actions"}
		logRefusal(r, nil, err)
		return err
	}
	c, err := readCommand(w, r)
	if err != nil {
		return err
	}
	r, err = withManager(r, c.Manager)
	if err != nil {
		return err
	}
	x, err := d.doer(c.Manager)
	if err != nil {
		return err
	}
	action, task := c.permission()
	if !slices.Contains(d.actions, action) {
		err := &failure{http.StatusForbidden, "the action is not allowed; the option Actions of package dashboard does not name it"}
		logRefusal(r, c, err)
		return err
	}
	if err := d.allows(r, action, task); err != nil {
		logRefusal(r, c, err)
		return &failure{http.StatusForbidden, "you are not allowed to do that"}
	}
	if err := x.do(c); err != nil {
		log(r, c, slog.LevelWarn, "dashboard: an action failed", err)
		return err
	}
	log(r, c, slog.LevelInfo, "dashboard: an action was done", nil)
	return nil
}

// doer is a manager or a cluster.
type doer interface{ do(c *command) error }

// doer returns the manager or the cluster with a name.
func (d *Dashboard) doer(name string) (doer, error) {
	if x, err := d.cluster(name); err == nil {
		return x, nil
	}
	return d.manager(name)
}

// allows asks the function of the program. A panic of it refuses the action.
func (d *Dashboard) allows(r *http.Request, a Action, task string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the function that allows actions panicked: %v\n%s", v, debug.Stack())
		}
	}()
	return d.allow(r, a, task)
}

// logRefusal logs an action that was refused.
func logRefusal(r *http.Request, c *command, err error) {
	log(r, c, slog.LevelWarn, "dashboard: an action was refused", err)
}

// withManager returns a request that names the manager in its URL, so that the function of the program that
// allows actions can see which one it is. The URL must not name another one.
func withManager(r *http.Request, name string) (*http.Request, error) {
	args, err := arguments(r)
	if err != nil {
		return nil, err
	}
	if given := args["m"]; len(given) > 1 || len(given) == 1 && given[0] != name {
		return nil, badRequest("the argument m is %.200q, but manager is %.100q in the body; both must name the same manager", given, name)
	}
	args.Set("m", name)
	r = r.WithContext(r.Context())
	u := *r.URL
	u.RawQuery = args.Encode()
	r.URL = &u
	return r, nil
}

// readCommand reads the body of a request.
func readCommand(w http.ResponseWriter, r *http.Request) (*command, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &failure{http.StatusUnsupportedMediaType, "the body must be of the type application/json"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, &failure{http.StatusRequestEntityTooLarge, "the body is longer than 8 kB"}
	}
	c := new(command)
	if err != nil || json.Unmarshal(body, c) != nil {
		return nil, badRequest("the body is no JSON object with the texts manager, action, name, kind and letter, and the numbers min and max")
	}
	if c.Manager == "" {
		return nil, badRequest("manager is empty; it must be the name of the manager or cluster that the action is for")
	}
	switch Action(c.Action) {
	case Cancel, Run:
		if c.Name == "" {
			return nil, badRequest("name is empty; it must be that of a task or schedule")
		}
	case Retry, Delete:
		if c.Name == "" || !isLetterID(c.Letter) {
			return nil, badRequest("name or letter is missing; a dead letter is named by both, and by its kind")
		}
	case Pause, resume:
	case Resize:
		if c.Min == nil || c.Max == nil {
			return nil, badRequest("min or max is missing; resize needs both")
		}
	default:
		return nil, badRequest("action is %.40q; it must be cancel, pause, resume, resize, run, retry or delete", c.Action)
	}
	return c, nil
}

// do does an action.
func (x *managed) do(c *command) error {
	switch Action(c.Action) {
	case Retry, Delete:
		return badRequest("%.100q is a manager, which has no dead letters; name a cluster", x.name)
	case Cancel:
		if !x.m.Cancel(c.Name) {
			return &failure{http.StatusNotFound, "no task of that name is outstanding"}
		}
	case Pause, resume:
		if state := x.m.Describe().State; state == observe.StateDraining || state == observe.StateStopped {
			return refused(taskmanager.ErrStopped)
		}
		if c.Action == resume {
			x.m.Resume()
		} else {
			x.m.Pause()
		}
	case Resize:
		return refused(x.m.Resize(*c.Min, *c.Max))
	case Run:
		return x.run(c.Name)
	}
	return nil
}

// run runs a schedule now.
func (x *managed) run(name string) error {
	for s := range x.m.Schedules() {
		if s.Name() == name {
			_, err := s.RunNow()
			return refused(err)
		}
	}
	return &failure{http.StatusNotFound, "there is no schedule of that name, or it has ended"}
}

// refused returns the failure for an error of a manager, which may be nil.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &failure{http.StatusConflict, errorText(err)}
}

// log logs an action, also one that was refused or failed. The command is nil if it was not read.
func log(r *http.Request, c *command, level slog.Level, message string, err error) {
	var attrs []slog.Attr
	if c == nil {
		c = new(command)
	} else {
		attrs = []slog.Attr{slog.String("manager", c.Manager), slog.String("action", c.Action)}
	}
	attrs = append(attrs, slog.String("remote", text.Line(r.RemoteAddr, text.NameLimit)))
	if c.Name != "" {
		attrs = append(attrs, slog.String("task", text.Line(c.Name, text.NameLimit)))
	}
	if isLetterID(c.Letter) {
		attrs = append(attrs, slog.String("letter", c.Letter))
	}
	if Action(c.Action) == Resize {
		attrs = append(attrs, slog.Int("min", *c.Min), slog.Int("max", *c.Max))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", errorText(err)))
	}
	slog.LogAttrs(r.Context(), level, message, attrs...)
}
