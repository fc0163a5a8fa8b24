package servertest_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// BenchmarkSubmit compares a submit with a plain request that stores a message without headers, which is the least
// that a round trip to the stream costs.
func BenchmarkSubmit(b *testing.B) {
	s, err := embed.Start(embed.Options{Dir: b.TempDir(), SyncInterval: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Stop(b.Context()) }()
	nc, err := s.Conn()
	if err != nil {
		b.Fatal(err)
	}
	c, err := nats.Open(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var n atomic.Int64
	next := func() string { return "n" + strconv.FormatInt(n.Add(1), 10) }
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := nc.RequestMsgWithContext(b.Context(), &natsgo.Msg{Subject: "tasks.run.normal.k." + next(), Data: []byte(`1`)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("submit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := nats.Submit(b.Context(), c, next(), 1, nats.WithKind("k")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := nats.Submit(b.Context(), c, next(), 1, nats.WithKind("k")); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
