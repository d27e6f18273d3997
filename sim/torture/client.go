package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// Bounds of what clients make: few persons and pages, so that all counts are
// exact and every cell is hit by many.
const (
	persons    = 300
	pages      = 12
	largest    = 40 // pageviews in one request
	remembered = 64 // acknowledged pageviews that may be sent again
)

var domains = []string{"one.example", "two.example", "three.example:8443"}

// counters are of all clients.
type counters struct {
	posted, acknowledged atomic.Int64 // pageviews; posted once, however often sent
	again                atomic.Int64 // pageviews sent again though acknowledged
	requests, retries    atomic.Int64
}

// client posts pageviews, one request at a time.
type client struct {
	number int
	seed   uint64
	rng    *rand.Rand
	http   *http.Client
	url    func() string // where the system listens now, or did last
	ledger *Ledger
	counts *counters
	made   int
	recent []View // acknowledged
}

// event is what is posted.
type event struct {
	Nonce  string `json:"nonce"`
	Person string `json:"person"`
	URL    string `json:"url"`
	TS     int64  `json:"ts"`
}

// run posts until stop is closed and the last request is acknowledged. pause is
// the mean time between two pageviews.
func (c *client) run(ctx context.Context, stop <-chan struct{}, pause time.Duration) error {
	due := time.Now()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		n, err := c.step(ctx)
		if err != nil {
			return fmt.Errorf("client %d: %w", c.number, err)
		}
		// Behind, a client does not try to catch up: it was down that waited.
		due = later(due.Add(time.Duration(n)*pause), time.Now().Add(-pause))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// step makes one request and sends it until it is acknowledged.
func (c *client) step(ctx context.Context) (n int, err error) {
	n = 1
	single := c.rng.IntN(3) > 0
	if !single {
		n = 1 + c.rng.IntN(largest)
	}
	var events []event
	var fresh []View
	again := int64(0)
	for range n {
		if len(c.recent) > 0 && c.rng.IntN(15) == 0 {
			events = append(events, c.repeat())
			again++
			continue
		}
		v := c.make()
		fresh = append(fresh, v)
		events = append(events, event{v.Nonce, v.Person, "https://" + v.Domain + v.Path, v.TS})
	}
	body, kind, err := c.encode(events, single)
	if err != nil {
		return 0, err
	}
	c.counts.posted.Add(int64(len(fresh)))
	c.counts.again.Add(again)
	if err := c.send(ctx, body, kind, len(events)); err != nil {
		return 0, err
	}
	c.counts.acknowledged.Add(int64(len(fresh)))
	c.ledger.Acknowledged(fresh)
	c.recent = append(c.recent, fresh...)
	c.recent = c.recent[max(0, len(c.recent)-remembered):]
	return n, nil
}

// make makes a pageview of the last two hours. Every fourth has a page of its
// own.
func (c *client) make() View {
	c.made++
	v := View{
		Nonce:  fmt.Sprintf("%x-%d-%d", c.seed, c.number, c.made),
		Person: fmt.Sprintf("person-%d", c.rng.IntN(persons)),
		Domain: domains[c.rng.IntN(len(domains))],
		Path:   fmt.Sprintf("/page-%d", c.rng.IntN(pages)),
		TS:     time.Now().UnixMilli() - c.rng.Int64N(2*3600*1000),
	}
	if c.rng.IntN(4) == 0 {
		v.Path = fmt.Sprintf("/once/%d/%d", c.number, c.made)
	}
	return v
}

// repeat is an acknowledged pageview again, half of the times with another url
// and time, which a duplicate may have.
func (c *client) repeat() event {
	v := c.recent[c.rng.IntN(len(c.recent))]
	e := event{v.Nonce, v.Person, "https://" + v.Domain + v.Path, v.TS}
	if c.rng.IntN(2) == 0 {
		e.URL, e.TS = "https://wrong.example/duplicate", e.TS-3_600_000
	}
	return e
}

func (c *client) encode(events []event, single bool) (body []byte, kind string, err error) {
	switch {
	case single:
		body, err = json.Marshal(events[0])
		return body, "application/json", err
	case c.rng.IntN(2) == 0:
		body, err = json.Marshal(events)
		return body, "application/json", err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range events {
		err = errors.Join(err, enc.Encode(e)) // one to a line
	}
	return b.Bytes(), "application/x-ndjson", err
}

// errRejected: the system rejects correct input.
var errRejected = errors.New("rejected")

// send sends a body until it is acknowledged.
func (c *client) send(ctx context.Context, body []byte, kind string, n int) error {
	for attempt := 0; ; attempt++ {
		c.counts.requests.Add(1)
		if attempt > 0 {
			c.counts.retries.Add(1)
		}
		err := c.post(ctx, body, kind, n)
		if err == nil || errors.Is(err, errRejected) {
			return err
		}
		pause := time.Duration(5+c.rng.IntN(10*min(attempt+1, 10))) * time.Millisecond
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("not acknowledged after %d attempts, the last: %w", attempt+1, err)
		}
	}
}

func (c *client) post(ctx context.Context, body []byte, kind string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url()+"/api/v1/pageviews", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return fmt.Errorf("%s", resp.Status)
	case resp.StatusCode != http.StatusAccepted:
		return fmt.Errorf("%w: %s %s", errRejected, resp.Status, answer)
	case err != nil:
		return err // cut off: it may or may not say what it seems to
	}
	var said struct{ Accepted int }
	if err := json.Unmarshal(answer, &said); err != nil || said.Accepted != n {
		return fmt.Errorf("%w: %d of %d accepted: %s", errRejected, said.Accepted, n, answer)
	}
	return nil
}
