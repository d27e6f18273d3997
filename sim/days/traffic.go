package days

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/sim/generate"
)

// clients send pageviews, each until it is acknowledged, as clients do. One
// goroutine owns them; the script looks at sent when that has ended.
type clients struct {
	m     *machine
	rng   *rand.Rand
	gen   *generate.Generator
	turn  chan struct{} // held while sending, and by the script while there is no topic
	valid map[string]bool
	acked int
	again []queue.Message // what may be sent again
	known []string        // some persons
	err   error
}

func newClients(m *machine, rng *rand.Rand, crowd bool) (*clients, error) {
	c := generate.Config{Events: 1 << 20, Seed: rng.Uint64(), URLs: 60, Persons: 400, Domains: 5,
		Start: time.Now(), Span: 1 << 20 * 20 * time.Second, Duplicates: -1, Late: 0.1, Edges: -1}
	if crowd {
		c.Persons, c.URLs, c.Domains = 100_000, 2, 1
	}
	gen, err := generate.New(c)
	return &clients{m: m, rng: rng, gen: gen, turn: make(chan struct{}, 1), valid: map[string]bool{}}, err
}

// run sends bursts until ctx ends.
func (c *clients) run(ctx context.Context, pause time.Duration, burst int) {
	for {
		select {
		case <-time.After(time.Duration(c.rng.Int64N(int64(2 * pause)))):
		case <-ctx.Done():
			return
		}
		c.turn <- struct{}{}
		err := c.burst(ctx, 1+c.rng.IntN(2*burst))
		<-c.turn
		if err != nil && ctx.Err() == nil {
			c.err = err
			return
		}
	}
}

// hold keeps the clients quiet until free is called.
func (c *clients) hold() (free func()) {
	c.turn <- struct{}{}
	return func() { <-c.turn }
}

// burst sends n pageviews at once, and now and then something else.
func (c *clients) burst(ctx context.Context, n int) error {
	now := make([]queue.Message, 0, n+1)
	var e generate.Event
	for range n {
		c.gen.Next(&e)
		late := e.Late
		e.TS = time.Now().UnixMilli() - (e.Arrival - e.TS)
		nonce := fmt.Sprintf("%s-%d", e.Nonce, len(c.valid))
		e.Nonce = []byte(nonce)
		m := queue.Message{Person: append([]byte(nil), e.Person...), Value: e.AppendJSON(nil)}
		c.valid[nonce] = true
		if late {
			c.m.counts.add("late pageviews", 1)
		}
		switch c.rng.IntN(30) {
		case 0:
			if err := c.misplace(ctx, m); err != nil {
				return err
			}
		case 1: // what was sent before, not what lies in a wrong partition: when
			// that is moved depends on the processors
			if len(c.again) > 0 {
				c.m.counts.add("pageviews sent twice", 1)
				now = append(now, c.again[c.rng.IntN(len(c.again))])
			}
			now, c.again = append(now, m), append(c.again, m)
		case 2:
			now = append(now, m, queue.Message{Person: m.Person, Value: []byte(`{"person":"x"}`)})
			c.m.counts.add("broken pageviews", 1)
		default:
			now, c.again = append(now, m), append(c.again, m)
		}
		e = generate.Event{}
	}
	if len(now) > 0 && len(c.known) < 100 {
		c.known = append(c.known, string(now[0].Person))
	}
	c.again = c.again[max(0, len(c.again)-200):]
	return c.send(ctx, now)
}

// maxAttempts is how often a client tries: longer than a broker is ever away.
const maxAttempts = 300

// send tries until the queue has all of it, as a client does that got no answer.
func (c *clients) send(ctx context.Context, all []queue.Message) error {
	for attempt := 1; ; attempt++ {
		q, err := c.m.client()
		if err == nil {
			_, err = q.AppendSync(context.WithoutCancel(ctx), all)
		}
		if err == nil {
			c.acked += len(all)
			return nil
		}
		if attempt == maxAttempts || !errors.Is(err, queue.ErrUnavailable) && !errors.Is(err, errStopped) {
			return err
		}
		c.m.counts.add("appends tried again", 1)
		time.Sleep(2 * time.Second)
	}
}

// misplace sends a record to any partition, as another program with another
// partitioner does.
func (c *clients) misplace(ctx context.Context, m queue.Message) error {
	for attempt := 1; ; attempt++ {
		err := c.m.produce(context.WithoutCancel(ctx), &kgo.Record{Topic: queue.TopicPageviews,
			Partition: c.rng.Int32N(c.m.partitionsNow()), Key: m.Person, Value: m.Value})
		if err == nil || attempt == maxAttempts {
			return err
		}
		c.m.counts.add("appends tried again", 1)
		time.Sleep(2 * time.Second)
	}
}
