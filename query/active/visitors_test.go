package active_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"speedlayer/event"
	"speedlayer/query/active"
)

func person(i int) uint64 { return event.PersonHash(fmt.Appendf(nil, "person %d", i)) }

// TestVisitors compares the count with a map, over a random hour of views.
func TestVisitors(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	p := active.New(func() time.Time { return now }, active.Limits{})
	r := rand.New(rand.NewPCG(4, 4))
	last := map[[2]int]int64{}
	for range 60 {
		now = now.Add(time.Minute)
		for range 300 {
			domain, who := r.IntN(5), r.IntN(400)
			ts := now.UnixMilli() - int64(r.IntN(8*60_000))
			p.Seen(uint64(domain), person(who), ts)
			last[[2]int{domain, who}] = max(last[[2]int{domain, who}], ts)
		}
		for domain := range 5 {
			want := int64(0)
			for k, ts := range last {
				if k[0] == domain && ts > now.UnixMilli()-5*60_000 {
					want++
				}
			}
			if got, approximate := p.Count(uint64(domain)); got != want || approximate {
				t.Fatalf("%v domain %d: %d (approximate %v), want %d", now, domain, got, approximate, want)
			}
		}
	}
	now = now.Add(5 * time.Minute)
	if n, _ := p.Count(1); n != 0 {
		t.Fatalf("%d are still there", n)
	}
}

// TestClock: what is old, and what is far ahead of the clock, is not
// there; what is a little ahead is.
func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	p := active.New(func() time.Time { return now }, active.Limits{})
	ms := now.UnixMilli()
	p.Seen(1, person(1), ms-5*60_000)
	p.Seen(1, person(2), ms-5*60_000+1)
	p.Seen(1, person(3), ms+9_000)
	p.Seen(1, person(4), ms+3600_000)
	if n, _ := p.Count(1); n != 2 {
		t.Fatalf("%d are there, want 2", n)
	}
	now = now.Add(time.Hour) // the clock is looked at again when an event is ahead
	p.Seen(1, person(5), ms+3600_000)
	if n, _ := p.Count(1); n != 1 {
		t.Fatalf("%d are there, want 1", n)
	}
}

// TestBounds: above its bounds the count is close, and reported as
// approximate; when few are left it is exact again.
func TestBounds(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	p := active.New(func() time.Time { return now }, active.Limits{Domains: 64, Rows: 1 << 13})
	const visitors = 200_000
	for i := range visitors {
		p.Seen(7, person(i), now.UnixMilli())
	}
	n, approximate := p.Count(7)
	if !approximate || n < visitors*9/10 || n > visitors*11/10 {
		t.Fatalf("%d of %d, approximate %v", n, visitors, approximate)
	}
	p.Seen(8, person(1), now.UnixMilli())
	p.Seen(8+64, person(1), now.UnixMilli()) // the same stripe, which holds one domain
	if n, approximate := p.Count(8 + 64); n != 0 || !approximate {
		t.Fatalf("a domain without a place: %d, approximate %v", n, approximate)
	}
	for range 200 { // an hour and a half of few visitors
		now = now.Add(30 * time.Second)
		for i := range 100 {
			p.Seen(7, person(visitors+int(now.Unix()%1e6)*100+i), now.UnixMilli())
		}
	}
	if n, approximate := p.Count(7); approximate || n != 1000 {
		t.Fatalf("%d, approximate %v; want 1000", n, approximate)
	}
	p.Seen(8+64, person(1), now.UnixMilli()) // domain 8 is gone
	if n, approximate := p.Count(8 + 64); n != 1 || approximate {
		t.Fatalf("%d, approximate %v", n, approximate)
	}
}

// TestTogether is for the race detector.
func TestTogether(t *testing.T) {
	p := active.New(time.Now, active.Limits{})
	var wg sync.WaitGroup
	ts := time.Now().UnixMilli()
	for g := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				p.Seen(uint64(i%3), person(g*5000+i), ts)
				if i%100 == 0 {
					p.Count(1)
				}
			}
		})
	}
	wg.Wait()
	sum := int64(0)
	for d := range uint64(3) {
		n, _ := p.Count(d)
		sum += n
	}
	if sum != 20_000 {
		t.Fatalf("%d, want 20000", sum)
	}
}

func BenchmarkOld(b *testing.B) {
	p := active.New(time.Now, active.Limits{})
	for b.Loop() {
		p.Seen(1, 2, 1000)
	}
}

func BenchmarkSeen(b *testing.B) {
	p := active.New(time.Now, active.Limits{})
	ts := time.Now().UnixMilli()
	persons := make([]uint64, 1<<14)
	for i := range persons {
		persons[i] = person(i)
	}
	i := 0
	for b.Loop() {
		p.Seen(uint64(i&63), persons[i*7&(1<<14-1)], ts)
		i++
	}
}
