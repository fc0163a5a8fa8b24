package demo

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	wave      = 90 * time.Second // from one peak of the load to the next
	burst     = 40 * time.Second // from one burst of the tenant umbrella to the next
	burstSize = 150              // tasks
)

// work submits tasks until ctx ends, rate of them each second on average.
func (s *service) work(ctx context.Context, rate float64) {
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	bursts := 0
	for i := 0; ; i++ {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		at := time.Since(begin)
		if int(at/burst) > bursts {
			bursts++
			for n := range burstSize {
				s.submit(s.images, &job{name: fmt.Sprintf("resize/umbrella/%d-%d", bursts, n), kind: "resize", key: "umbrella", takes: s.around(400 * time.Millisecond)})
			}
		}
		s.arrive(i)
		now := rate * (1 + 0.8*math.Sin(2*math.Pi*at.Seconds()/wave.Seconds()))
		timer.Reset(time.Duration(s.random.ExpFloat64() / now * float64(time.Second)))
	}
}

// arrive submits one task.
func (s *service) arrive(i int) {
	key := s.tenant()
	switch p := s.random.Float64(); {
	case p < 0.45:
		s.submit(s.images, &job{name: fmt.Sprintf("thumbnail/%d", i), kind: "thumbnail", key: key, takes: s.around(150 * time.Millisecond), fails: s.random.Float64() < 0.01})
	case p < 0.62:
		s.submit(s.images, &job{name: fmt.Sprintf("fetch/%s/%d.jpg", key, i), kind: "fetch", key: key, takes: s.around(300 * time.Millisecond),
			description: "download the original", fails: s.random.Float64() < 0.15, again: true})
	case p < 0.75:
		s.submit(s.images, &job{name: fmt.Sprintf("resize/%s/%d", key, i), kind: "resize", key: key, takes: s.around(700 * time.Millisecond), description: "four sizes, sharpened"})
	case p < 0.78:
		s.submit(s.images, &job{name: fmt.Sprintf("transcode/%d.mp4", i), kind: "transcode", key: key, takes: s.around(8 * time.Second),
			description: "H.264, 720p", crashes: s.random.Float64() < 0.2})
	default:
		s.submit(s.mails, &job{name: fmt.Sprintf("mail/%d", i), kind: "mail", key: key, takes: s.around(200 * time.Millisecond), fails: s.random.Float64() < 0.02},
			taskmanager.WithPriority(s.random.IntN(3)))
	}
}

// submit submits a task. A manager that stops accepts none, which ends the demonstration soon.
func (s *service) submit(m *taskmanager.TaskManager, j *job, opts ...taskmanager.TaskOption) {
	_, _ = m.TrySubmit(context.Background(), j, opts...)
}

// tenant draws a tenant.
func (s *service) tenant() string {
	p := s.random.Float64()
	for _, t := range tenants {
		if p -= t.share; p < 0 {
			return t.name
		}
	}
	return tenants[0].name
}

// around draws a time with the given mean.
func (s *service) around(mean time.Duration) time.Duration {
	return time.Duration((0.5 + 0.5*s.random.ExpFloat64()) * float64(mean))
}
