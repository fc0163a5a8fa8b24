//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/proxy"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// The settings of TestChaos.
const (
	chaosWorkers  = 4
	chaosNames    = 120 // so few that many submits find their name taken
	chaosAttempts = 3
	chaosKeys     = 5
	chaosKeyLimit = 2
	chaosFew      = 3  // the limit of the kind few
	chaosCrashes  = 10 // so many that few tasks die that do not kill their process

	unreadable   = "unreadable/" // begins the names of tasks that no worker can decode
	newer        = "newer"       // the name and the id of the task of a newer version
	newerSubject = "tasks.run.normal." + job.Plain + "." + newer
)

// chaos does things at random.
type chaos struct {
	*cluster

	disk    chaosDisk
	rng     *rand.Rand
	workers []*place
	later   []appointment
	sent    sync.WaitGroup
	lives   int // of workers
	ids     int

	mu      sync.Mutex
	results []*nats.Task // of tasks with a result; guarded by mu
	dies    map[string]bool
	done    map[string]bool // the kinds of faults that there were; see makeUp
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

// TestChaos kills, stops, freezes and cuts off workers, kills servers and fills the disk of the first one, while tasks
// of all kinds are submitted, cancelled and run, until enough has happened for each check. Then the faults stop,
// everything is run, the limits hold without excuses, and the ledger balances.
func TestChaos(t *testing.T) { rageOn(t, *chaosServers) }

// TestChaosOnThreeServers is TestChaos on servers that stand in for each other.
func TestChaosOnThreeServers(t *testing.T) { rageOn(t, 3) }

// rageOn is TestChaos with a number of servers.
func rageOn(t *testing.T, servers int) {
	need(t)
	number := *seed
	if number == 0 {
		number = rand.Uint64()
	}
	again := fmt.Sprintf("make chaos CHAOS=%v SEED=%d SERVERS=%d", *chaosTime, number, servers)
	t.Logf("%s does the same, except for the times", again)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("do it again: %s", again)
		}
	})
	c := &chaos{disk: smallIfPermitted(t), rng: rand.New(rand.NewPCG(number, 1)), dies: map[string]bool{}, done: map[string]bool{}}
	c.cluster = launch(t, settings{servers: servers, always: true, crashes: chaosCrashes, firstDir: c.disk.store()})
	c.submitNewer()
	c.submitUnreadable()
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
	for i, ahead := range []string{"-70s", "-1300ms", "0s", "700ms", "70s"} {
		schedules = append(schedules, c.start("schedule", fmt.Sprint("clock", i), c.flags(c.url(), "-prefix", "scheduled", "-every", "2s", "-clock", ahead)...))
	}
	c.rage(time.Now().Add(*chaosTime))
	c.calm()
	for _, p := range schedules {
		p.terminate()
		p.wait()
	}
	c.quiet()
	c.balance(3 * patience)
	c.checkResults()
	c.checkDead()
	c.checkLimits()
	c.checkForeign()
	c.checkAnswers()
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

// rage does things until a time, and until nothing is lacking. After half of the time, it makes up for faults that there
// were not yet.
func (c *chaos) rage(until time.Time) {
	half := time.Now().Add(time.Until(until) / 2)
	actions := []struct {
		weight int
		do     func()
	}{
		{30, c.submitSome}, {5, c.submitBatch}, {2, c.submitPoison}, {1, c.submitUnreadable}, {20, c.cancelOne}, {5, c.look},
		{6, c.killWorker}, {4, c.stopWorker}, {4, c.freezeWorker}, {4, c.cutWorker}, {30, c.occupyOne}, {2, c.killServer}, {2, c.fillDisk},
	}
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for time.Now().Before(until) || c.isLacking(until.Add(2*patience)) {
		c.keepAppointments(time.Now())
		pick := c.rng.IntN(total)
		for _, a := range actions {
			if pick -= a.weight; pick < 0 {
				a.do()
				break
			}
		}
		if time.Now().After(half) {
			c.makeUp()
		}
		pause := time.NewTimer(time.Duration(c.rng.IntN(300)) * time.Millisecond)
		<-pause.C
	}
}

// makeUp does each kind of fault that there was not yet, if there is a worker for it.
func (c *chaos) makeUp() {
	for _, fault := range []struct {
		what string
		do   func()
	}{{"kill", c.killWorker}, {"term", c.stopWorker}, {"freeze", c.freezeWorker}, {"cut", c.cutWorker}, {"server", c.killServer}, {"full", c.fillDisk}} {
		if !c.done[fault.what] {
			fault.do()
		}
	}
}

// keepAppointments does what is due.
func (c *chaos) keepAppointments(now time.Time) {
	all := c.later
	c.later = nil
	for _, a := range all {
		if a.at.After(now) {
			c.later = append(c.later, a)
		} else {
			a.do() // may make another appointment
		}
	}
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
	c.awaitRoom()
	for _, w := range c.workers {
		if w.leaves {
			w.wait()
		}
	}
	c.occupyAll()
	c.note("calm")
	c.sent.Wait()
	c.untilWithin(3*patience, "all tasks to end", func(ctx context.Context) error {
		c.occupyAll() // poison tasks go on killing
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
			options = append(options, nats.WithKey(chaosKey(c.rng.IntN(chaosKeys))))
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
		c.expected(ctx, id, c.SubmitAll(ctx, id, names, in, nats.WithKind(job.Plain)))
	})
}

// expected fails for an error of a submit other than that of a name that is taken. The ledger has what came of it, and
// of a submit whose ctx has ended nobody knows.
func (c *chaos) expected(ctx context.Context, id string, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, taskmanager.ErrAlreadyExists) {
		c.t.Errorf("submit %s: %v", id, err)
	}
}

// submitUnreadable submits a task whose payload no worker can decode.
func (c *chaos) submitUnreadable() {
	c.ids++
	id := fmt.Sprint("id-", c.ids)
	c.dies[id] = true
	c.sent.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.expected(ctx, id, c.SubmitText(ctx, unreadable+id, id, "this is no job", nats.WithKind(job.Plain)))
	})
}

// submitNewer stores a task as a newer version of the package would. It stays, for a worker of that version.
func (c *chaos) submitNewer() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m := &natsgo.Msg{Subject: newerSubject, Header: natsgo.Header{"Task-Version": {"2"}, "Task-Id": {newer}}, Data: []byte("{}")}
	if _, err := c.js.PublishMsg(ctx, m); err != nil {
		c.t.Fatal(err)
	}
	c.stay = 1
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
		c.expected(ctx, in.ID, err)
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
		c.done["kill"] = true
		w.kill()
	}
}

func (c *chaos) stopWorker() {
	if w := c.pick(); w != nil {
		c.done["term"] = true
		w.leaves = true
		w.terminate()
	}
}

func (c *chaos) freezeWorker() {
	if w := c.pick(); w != nil {
		c.done["freeze"] = true
		w.frozen = true
		p := w.process // another one takes its place if it has just ended
		p.freeze()
		c.after(func() {
			w.frozen = false
			p.thaw()
		})
	}
}

func (c *chaos) cutWorker() {
	if w := c.pick(); w != nil && w.proxy != nil {
		c.done["cut"] = true
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

// occupyAll starts workers at all places where they have ended.
func (c *chaos) occupyAll() {
	for _, w := range c.workers {
		if w.hasEnded() {
			c.occupy(w)
		}
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
	c.done["server"] = true
	s.kill()
	if s == c.servers[0] {
		c.disk.release()
	}
	c.restart(s)
	if s == c.servers[0] {
		c.hasRoom()
	}
}
