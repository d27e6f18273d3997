package torture

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// CrowdConfig defines how many clients post how much, and where. All is required.
type CrowdConfig struct {
	Seed    uint64
	Rate    int // pageviews a second, of all clients
	Clients int
	HTTP    *http.Client
	URL     func() string // where to post, asked before each try; from many goroutines
	Ledger  *Ledger       // of what was acknowledged
}

// Crowd is a number of clients that post pageviews, each one request at a time,
// and send a request again until it is acknowledged.
type Crowd struct {
	counts counters
	stop   chan struct{}
	group  *errgroup.Group
	ctx    context.Context // ends with the first client that gives up
}

// Traffic is what clients did.
type Traffic struct {
	Posted       int64 `json:"posted"` // pageviews, each once
	Acknowledged int64 `json:"acknowledged"`
	Requests     int64 `json:"requests"`
	Retried      int64 `json:"retried"`    // requests sent again
	SentTwice    int64 `json:"sent_twice"` // pageviews sent again though acknowledged
}

// StartCrowd lets clients post until Stop, or until ctx ends.
func StartCrowd(ctx context.Context, c CrowdConfig) *Crowd {
	crowd := &Crowd{stop: make(chan struct{})}
	crowd.group, crowd.ctx = errgroup.WithContext(ctx)
	pause := time.Duration(c.Clients) * time.Second / time.Duration(c.Rate)
	for i := range c.Clients {
		one := &client{number: i, seed: c.Seed, rng: rand.New(rand.NewPCG(c.Seed, uint64(i))), http: c.HTTP,
			url: c.URL, ledger: c.Ledger, counts: &crowd.counts}
		crowd.group.Go(func() error { return one.run(crowd.ctx, crowd.stop, pause) })
	}
	return crowd
}

// GaveUp is done when a client has given up, or the context of all has ended.
func (c *Crowd) GaveUp() context.Context { return c.ctx }

// Stop lets every client finish its request, until it is acknowledged, and waits
// for them. An error is the first client's that gave up.
func (c *Crowd) Stop() error {
	close(c.stop)
	return c.group.Wait()
}

// Traffic is what the clients have done by now.
func (c *Crowd) Traffic() Traffic {
	return Traffic{Posted: c.counts.posted.Load(), Acknowledged: c.counts.acknowledged.Load(),
		Requests: c.counts.requests.Load(), Retried: c.counts.retries.Load(), SentTwice: c.counts.again.Load()}
}
