package e2edashboard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// shopTime is how long the shop runs before its picture is taken.
const shopTime = 200 * time.Second

// The pictures of the README show a shop that scales images, under a load that rises and falls.
func TestScreens(t *testing.T) {
	if *screensPath == "" {
		t.Skip("it takes minutes; make dashboard-screens runs it")
	}
	b := browser(t)
	c := dashboard.NewCollector()
	weights := map[string]int{"tenant-gold": 4, "tenant-silver": 2}
	p := &program{t: t, address: "127.0.0.1:0", managers: map[string]*taskmanager.TaskManager{}}
	m := p.manager(taskmanager.WithWorkers(2, 48), taskmanager.WithObserver(c), taskmanager.WithLimit(1000, taskmanager.Block),
		taskmanager.WithQueue(taskmanager.Fair(func(key string) int { return max(1, weights[key]) })),
		taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{})), taskmanager.WithRestartPlain(), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))))
	p.managers[images] = m
	p.dashboard = dashboard.New(dashboard.Manager(images, m, c), dashboard.Title("Image shop"),
		dashboard.Actions(func(*http.Request, dashboard.Action, string) error { return nil }, dashboard.Cancel))
	p.serve()
	t.Cleanup(p.stop)

	ctx, stop := context.WithCancel(t.Context())
	var shop sync.WaitGroup
	shop.Go(func() { order(ctx, t, m) })
	defer shop.Wait()
	defer stop()
	<-time.After(shopTime)
	for _, theme := range []string{"light", "dark"} {
		tab := open(b, t, 1280, 1180)
		tab.visit(p.url(""), "Longest running tasks")
		tab.theme(theme)
		tab.visit(p.url(""), "Longest running tasks")
		// A picture has no scroll bar, and so needs no room for one.
		eval[any](tab, `document.documentElement.style.scrollbarGutter = 'auto', null`)
		tab.until(`document.querySelector('.link.live') && document.querySelectorAll('canvas').length === 4`)
		tab.do(chromedp.EmulateViewport(1280, eval[int64](tab, `Math.round(document.querySelector('.columns .card').getBoundingClientRect().bottom) + 16`)))
		tab.picture(*screensPath, "overview-"+theme+".png")
	}
}

var errRefused = errors.New("dial tcp 10.0.0.7:443: connect: connection refused")

// order submits the tasks of the shop until ctx ends.
func order(ctx context.Context, t *testing.T, m *taskmanager.TaskManager) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds := []string{"thumbnail", "fetch", "resize", "transcode"}
	seconds := map[string]float64{"thumbnail": 0.3, "fetch": 0.6, "resize": 1.2, "transcode": 5}
	keys := []string{"tenant-gold", "tenant-silver", "tenant-3", "tenant-4", "tenant-5"}
	started := time.Now()
	for n := 0; ; n++ {
		rate := 22 + 18*math.Sin(time.Since(started).Seconds()/16)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(random.ExpFloat64() / rate * float64(time.Second))):
		}
		kind := kinds[int(float64(len(kinds))*math.Pow(random.Float64(), 2))]
		took := time.Duration((0.2 + random.ExpFloat64()) * seconds[kind] * float64(time.Second))
		fails := kind == "fetch" && random.Float64() < 0.1
		_, err := m.SubmitFunc(ctx, fmt.Sprintf("%s/%d.jpg", kind, 40000+n), func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(took):
			}
			if fails {
				return errRefused
			}
			return nil
		}, taskmanager.WithKind(kind), taskmanager.WithKey(keys[random.IntN(len(keys))]))
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
	}
}
