//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/proxy"
)

// The settings of TestChaos.
const (
	chaosWorkers  = 4
	chaosNames    = 120 // so few that many submits find their name taken
	chaosAttempts = 3
	chaosKeyLimit = 2
	chaosFew      = 3  // the limit of the kind few
	chaosCrashes  = 10 // so many that few tasks die that do not kill their process
)

// chaos does things at random.
type chaos struct {
	*cluster

	rng     *rand.Rand
	workers []*place
	later   []appointment
	sent    sync.WaitGroup
	lives   int // of workers
	ids     int

	mu      sync.Mutex
	results []*nats.Task // of tasks with a result; guarded by mu
	dies    map[string]bool
}

// place is where a worker runs, again and again.
type place struct {
	*process
	proxy       *proxy.Proxy // nil: none
	frozen, cut bool
	leaves      bool // it was asked to end
}

// appointment is something to do later.
type appointment struct {
	at time.Time
	do func()
}

// TestChaos kills, stops, freezes and cuts off workers and kills the server, while tasks of all kinds are submitted,
// cancelled and run. Then the faults stop, everything is run, and the ledger balances.
func TestChaos(t *testing.T) {
	need(t)
	number := *seed
	if number == 0 {
		number = rand.Uint64()
	}
	again := fmt.Sprintf("make chaos CHAOS=%v SEED=%d", *chaosTime, number)
	t.Logf("%s does the same, except for the times", again)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("do it again: %s", again)
		}
	})
	c := &chaos{cluster: launch(t, settings{servers: *chaosServers, always: true, crashes: chaosCrashes}), rng: rand.New(rand.NewPCG(number, 1)), dies: map[string]bool{}}
	for range chaosWorkers {
		c.workers = append(c.workers, &place{})
	}
	for i, w := range c.workers {
		if i%2 == 1 {
			c.behindProxy(w)
		}
		c.occupy(w)
	}
	var schedules []*process
	for i, ahead := range []string{"-70s", "70s"} {
		schedules = append(schedules, c.start("schedule", fmt.Sprint("clock", i), c.flags(c.url(), "-prefix", "scheduled", "-every", "2s", "-clock", ahead)...))
	}
	c.rage(time.Now().Add(*chaosTime))
	c.calm()
	for _, p := range schedules {
		p.terminate()
		p.wait()
	}
	c.sent.Wait()
	c.balance(3 * patience)
	c.checkResults()
	c.checkDead()
	c.checkLimits()
	c.figures()
}

// behindProxy gives a place a proxy.
func (c *chaos) behindProxy(w *place) {
	p, err := proxy.Listen(c.servers[0].address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Close)
	w.proxy = p
}

// occupy starts a worker at a place, under a new name.
func (c *chaos) occupy(w *place) {
	c.lives++
	url := c.url()
	if w.proxy != nil {
		url = "nats://" + token + "@" + w.proxy.Addr()
	}
	w.leaves = false
	w.process = c.spawn("worker", fmt.Sprint("w", c.lives), c.flags(url, "-workers", "6", "-attempts", fmt.Sprint(chaosAttempts),
		"-backoff", "300ms", "-key-limit", fmt.Sprint(chaosKeyLimit), "-kind-limit", fmt.Sprint(chaosFew), "-audit", "2s", "-grace", "300ms")...)
}

// rage does things until a time.
func (c *chaos) rage(until time.Time) {
	actions := []struct {
		weight int
		do     func()
	}{
		{30, c.submitSome}, {5, c.submitBatch}, {2, c.submitPoison}, {20, c.cancelOne}, {5, c.look},
		{6, c.killWorker}, {4, c.stopWorker}, {4, c.freezeWorker}, {4, c.cutWorker}, {30, c.occupyOne}, {2, c.killServer},
	}
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for time.Now().Before(until) {
		c.keepAppointments(time.Now())
		pick := c.rng.IntN(total)
		for _, a := range actions {
			if pick -= a.weight; pick < 0 {
				a.do()
				break
			}
		}
		pause := time.NewTimer(time.Duration(c.rng.IntN(300)) * time.Millisecond)
		<-pause.C
	}
}

// keepAppointments does what is due.
func (c *chaos) keepAppointments(now time.Time) {
	var rest []appointment
	for _, a := range c.later {
		if a.at.After(now) {
			rest = append(rest, a)
		} else {
			a.do()
		}
	}
	c.later = rest
}

// after does something after a random time of up to three leases.
func (c *chaos) after(do func()) {
	wait := time.Duration(c.rng.Int64N(int64(3 * c.lease)))
	c.later = append(c.later, appointment{time.Now().Add(wait), do})
}

// calm ends all faults, and starts workers at all places.
func (c *chaos) calm() {
	for _, a := range c.later {
		a.do()
	}
	c.later = nil
	for _, w := range c.workers {
		if w.leaves {
			w.wait()
		}
		if w.hasEnded() {
			c.occupy(w)
		}
	}
	c.note("calm")
	c.sent.Wait()
	c.untilWithin(3*patience, "all tasks to end", func(ctx context.Context) error {
		for _, w := range c.workers {
			if w.hasEnded() { // poison tasks go on killing
				c.occupy(w)
			}
		}
		return c.isEmpty(ctx)
	})
}

func (c *chaos) note(text string) { c.account.Write(ledger.Line{Event: ledger.Note, Text: text}) }

// submitSome submits up to 60 tasks at once.
func (c *chaos) submitSome() {
	kinds := []string{job.Plain, job.Plain, job.Again, job.Keyed, job.Few, job.Square}
	for range 1 + c.rng.IntN(60) {
		kind := kinds[c.rng.IntN(len(kinds))]
		in := job.Job{Work: time.Duration(c.rng.Int64N(int64(300 * time.Millisecond)))}
		options := []nats.SubmitOption{nats.WithKind(kind), level(c.rng.IntN(3))}
		if kind == job.Again {
			in.Fails = c.rng.IntN(chaosAttempts + 1)
		}
		if kind == job.Keyed {
			options = append(options, nats.WithKey(fmt.Sprint("key/", c.rng.IntN(5))))
		}
		if c.rng.IntN(5) == 0 {
			options = append(options, nats.WithDelay(time.Duration(c.rng.Int64N(int64(2*time.Second)))))
		}
		if c.rng.IntN(50) == 0 { // longer than the lease
			in.Work = c.lease + time.Duration(c.rng.Int64N(int64(c.lease)))
		}
		c.send(fmt.Sprint("task/", c.rng.IntN(chaosNames)), in, c.rng.IntN(8) == 0, options...)
	}
}

// submitPoison submits a task that kills its process once, or always.
func (c *chaos) submitPoison() {
	kills := 1
	if c.rng.IntN(6) == 0 {
		kills = 1000
	}
	c.send(fmt.Sprint("poison/", c.ids), job.Job{Kills: kills}, false, nats.WithKind(job.Plain))
}

// submitBatch submits up to eight tasks, all or none.
func (c *chaos) submitBatch() {
	var names []string
	for range 1 + c.rng.IntN(8) {
		if name := fmt.Sprint("task/", c.rng.IntN(chaosNames)); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	c.ids++
	id, in := fmt.Sprint("id-", c.ids), job.Job{Work: time.Duration(c.rng.Int64N(int64(100 * time.Millisecond)))}
	c.sent.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = c.SubmitAll(ctx, id, names, in, nats.WithKind(job.Plain)) // the ledger has what comes of it
	})
}

// look asks for the status of everything, which has to succeed at all times but for processes that are dead.
func (c *chaos) look() {
	c.sent.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := c.client.TaskStatus(ctx)
		if _, partial := errors.AsType[*nats.PartialError](err); err != nil && !partial {
			c.t.Errorf("status: %v", err)
		}
		if _, err := c.client.Kinds(ctx); err != nil {
			c.t.Errorf("kinds: %v", err)
		}
	})
}

// send submits a task on a goroutine of its own.
func (c *chaos) send(name string, in job.Job, result bool, options ...nats.SubmitOption) {
	c.ids++
	in.ID = fmt.Sprint("id-", c.ids)
	if in.Fails >= chaosAttempts || in.Kills > c.crashes {
		c.dies[in.ID] = true
	}
	if result {
		options = append(options, nats.WithResult(time.Hour))
	}
	c.sent.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		task, err := c.Submit(ctx, name, in, options...)
		if err == nil && result {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.results = append(c.results, task)
		}
	})
}

func (c *chaos) cancelOne() {
	name := fmt.Sprint("task/", c.rng.IntN(chaosNames))
	c.sent.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _ = c.Cancel(ctx, name) // the ledger has the answer
	})
}

// pick returns a place whose worker is fine, or nil.
func (c *chaos) pick() *place {
	w := c.workers[c.rng.IntN(len(c.workers))]
	if w.hasEnded() || w.frozen || w.cut || w.leaves {
		return nil
	}
	return w
}

func (c *chaos) killWorker() {
	if w := c.pick(); w != nil {
		w.kill()
	}
}

func (c *chaos) stopWorker() {
	if w := c.pick(); w != nil {
		w.leaves = true
		w.terminate()
	}
}

func (c *chaos) freezeWorker() {
	if w := c.pick(); w != nil {
		w.frozen = true
		w.freeze()
		c.after(func() {
			w.frozen = false
			w.thaw()
		})
	}
}

func (c *chaos) cutWorker() {
	if w := c.pick(); w != nil && w.proxy != nil {
		w.cut = true
		w.note(ledger.Cut)
		w.proxy.Cut()
		c.after(func() {
			w.cut = false
			w.note(ledger.Mend)
			w.proxy.Mend()
		})
	}
}

// occupyOne starts a worker at a place where it has ended.
func (c *chaos) occupyOne() {
	for _, w := range c.workers {
		if w.hasEnded() && !w.cut {
			c.occupy(w)
			return
		}
	}
}

func (c *chaos) killServer() {
	s := c.servers[c.rng.IntN(len(c.servers))]
	s.kill()
	c.restart(s)
}

// checkResults compares what those who wait for tasks learn with the ledger.
func (c *chaos) checkResults() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended, dead := map[string]bool{}, map[string]bool{}
	for _, l := range c.find(ledger.End, "") {
		ended[l.ID] = true
	}
	for _, d := range c.deadLetters() {
		dead[d.ID] = true
	}
	for _, task := range c.results {
		err := task.Wait(ctx)
		_, failed := errors.AsType[*nats.ResultError](err)
		switch {
		case err == nil && !ended[task.ID()], failed && !dead[task.ID()] && !strings.Contains(err.Error(), "cancel"):
			c.t.Errorf("the result of %q, %s, is %v:\n%s", task.Name(), task.ID(), err, c.story(task.Name()))
		case ctx.Err() != nil:
			c.t.Fatalf("no result of %q, %s:\n%s", task.Name(), task.ID(), c.story(task.Name()))
		}
	}
}

// checkDead fails for dead letters that should have succeeded. A task is also dead after it was in too many processes that
// were killed, frozen or cut off, or had a server that was killed: then there were that many faults.
func (c *chaos) checkDead() {
	innocent := 0
	for _, d := range c.deadLetters() {
		if c.dies[d.ID] {
			continue
		}
		tried := c.find(ledger.Try, d.Name)
		tried = ledger.Select(tried, func(l ledger.Line) bool { return l.ID == d.ID })
		faults := ledger.Select(c.lines(), func(l ledger.Line) bool {
			fault := l.Event == ledger.Kill || l.Event == ledger.Freeze || l.Event == ledger.Cut || l.Event == ledger.Term
			return fault && len(tried) > 0 && tried[0].At < l.At && l.At < d.At.UnixNano()
		})
		if len(faults) < c.crashes || !strings.Contains(d.Reason, "lease") {
			c.t.Errorf("%q, %s, is dead after %d faults: %s\n%s", d.Name, d.ID, len(faults), d.Reason, c.story(d.Name))
		}
		innocent++
	}
	c.t.Logf("%d dead letters of tasks that were in %d processes that were killed, frozen or cut off", innocent, c.crashes)
}

// checkLimits fails if more tasks of a key or of a kind ran at once than allowed.
func (c *chaos) checkLimits() {
	limited := map[string][]ledger.Run{}
	for _, r := range ledger.Undisturbed(c.runs(""), c.lines()) {
		switch r.Kind {
		case job.Keyed:
			limited[r.Text] = append(limited[r.Text], r)
		case job.Few:
			limited[r.Kind] = append(limited[r.Kind], r)
		}
	}
	for what, runs := range limited {
		limit := chaosKeyLimit
		if what == job.Few {
			limit = chaosFew
		}
		if peak := ledger.Peak(runs); peak > limit {
			c.t.Errorf("%d tasks of %s ran at once, and the limit is %d", peak, what, limit)
		}
	}
}

// figures logs what has happened.
func (c *chaos) figures() {
	count := map[string]int{}
	for _, l := range c.lines() {
		switch role := strings.TrimRight(l.Process, "0123456789"); l.Event {
		case ledger.Kill, ledger.Term, ledger.Freeze, ledger.Cut, ledger.Launch:
			count[string(l.Event)+" "+role]++
		case ledger.Answered:
			count["cancel "+l.Text]++
		default:
			count[string(l.Event)]++
		}
	}
	twice := 0
	ends := map[string]int{}
	for _, l := range c.find(ledger.End, "") {
		if ends[l.ID]++; ends[l.ID] == 2 {
			twice++
		}
	}
	var text []string
	for _, k := range slices.Sorted(maps.Keys(count)) {
		text = append(text, fmt.Sprint(k, " ", count[k]))
	}
	c.t.Logf("%s; %d tasks ended more than once; %d dead letters", strings.Join(text, ", "), twice, len(c.deadLetters()))
}
