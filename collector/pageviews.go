package collector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"speedlayer/collector/bots"
	"speedlayer/internal/problem"
	"speedlayer/queue"
)

// retryAfter, in seconds, is what 429 and 503 ask clients to wait.
const retryAfter = 1

// servePageviews is POST /api/v1/pageviews.
func (c *Collector) servePageviews(w http.ResponseWriter, r *http.Request) {
	allowAnyOrigin(w)
	o, p := parseOptions(r.URL.RawQuery, c.cfg.DropBots)
	if p == nil && o.wait && c.cfg.Wait == nil {
		p = &problem.Details{Status: http.StatusNotImplemented, Field: "wait",
			Detail: "this process runs no processor that it could wait for", Allowed: "a call without wait"}
	}
	lines, p2 := bodyType(r.Header)
	if p == nil {
		p = p2
	}
	if p != nil {
		c.problem(w, callPageviews, p)
		return
	}
	b, ok := c.open()
	if !ok {
		c.problem(w, callPageviews, closing())
		return
	}
	defer b.close()
	b.dropBots = o.dropBots
	if p := b.read(w, r); p != nil {
		c.problem(w, callPageviews, p)
		return
	}
	status, p := b.pageviews(r.Context(), lines, o.wait)
	if p != nil {
		c.problem(w, callPageviews, p)
		return
	}
	c.metrics.answered(callPageviews, status)
	h := w.Header()
	h["Content-Type"] = jsonType
	if len(b.records) == 1 && len(b.rejected) == 0 && b.dropped.events == 0 {
		h["Content-Length"] = acceptedOneLength
		w.WriteHeader(status)
		_, _ = w.Write(acceptedOne)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.answer()) // the client may be gone: nobody is left to tell
}

// Headers and the body of the usual answer, made once.
var (
	jsonType          = []string{"application/json"}
	acceptedOne       = []byte("{\"accepted\":1,\"rejected\":[]}\n")
	acceptedOneLength = []string{strconv.Itoa(len(acceptedOne))}
)

// pageviews takes the events in the body and appends them. The status is that
// of a good answer.
func (b *batch) pageviews(ctx context.Context, lines, wait bool) (status int, _ *problem.Details) {
	take := b.takeJSON
	if lines {
		take = b.takeLines
	}
	n, err := take()
	var whole *errDocument
	switch {
	case errors.As(err, &whole):
		return 0, &problem.Details{Status: http.StatusBadRequest, Field: "body", Detail: whole.detail, Allowed: whole.allowed}
	case err != nil:
		return 0, &problem.Details{Status: http.StatusRequestEntityTooLarge, Field: "body",
			Detail: "the body has too many events", Allowed: strconv.Itoa(b.c.limits.BatchEvents) + " events in one request"}
	case n > 0 && len(b.rejected) == n:
		return 0, &problem.Details{Status: http.StatusBadRequest, Field: "body",
			Detail: "all events were rejected", Rejected: b.rejected}
	}
	if p := b.store(ctx, wait); p != nil {
		return 0, p
	}
	b.c.metrics.drop(b.dropped)
	if !wait {
		return http.StatusAccepted, nil
	}
	return b.waitApplied(ctx), nil
}

// store appends the records.
func (b *batch) store(ctx context.Context, positions bool) *problem.Details {
	begin := time.Now()
	err := b.append(ctx, positions)
	b.c.metrics.append.Observe(time.Since(begin).Seconds())
	switch {
	case err == nil:
		b.c.metrics.accepted.Add(float64(len(b.records)))
		return nil
	case errors.Is(err, queue.ErrOverloaded):
		return &problem.Details{Status: http.StatusTooManyRequests, RetryAfter: retryAfter,
			Detail: "too much is waiting to be written to the queue; send the same body again"}
	}
	b.c.cfg.Logger.Warn("pageviews not appended", "events", len(b.records), "err", err)
	return &problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		Detail: "the queue did not take all events; send the same body again"}
}

// waitApplied returns 200 when the records are queryable; 202, which is true in
// any case, if that takes too long.
func (b *batch) waitApplied(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, b.c.limits.WaitApplied)
	defer cancel()
	if err := b.c.cfg.Wait(ctx, b.result.positions); err != nil {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// answer is the body for what was taken.
func (b *batch) answer() []byte {
	rejected := b.rejected
	if rejected == nil {
		rejected = []Rejected{}
	}
	body, err := json.Marshal(struct {
		Accepted    int               `json:"accepted"`
		Rejected    []Rejected        `json:"rejected"`
		BotsDropped int               `json:"bots_dropped,omitempty"`
		Bots        map[bots.Kind]int `json:"bots,omitempty"`
	}{len(b.records), rejected, b.dropped.events, b.dropped.kinds})
	if err != nil { // numbers and strings always can be written
		panic(err)
	}
	return append(body, '\n')
}

// options are what a request's query asks for.
type options struct{ wait, dropBots bool }

// optionsAllowed is what the query may have.
const optionsAllowed = "wait=applied, bots=keep, bots=drop"

// parseOptions reads the query. Without bots, the server's setting holds.
func parseOptions(query string, dropBots bool) (options, *problem.Details) {
	o := options{dropBots: dropBots}
	if query == "" {
		return o, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return o, &problem.Details{Status: http.StatusBadRequest, Field: "query", Detail: err.Error(), Allowed: optionsAllowed}
	}
	for name, v := range values {
		switch {
		case name != "wait" && name != "bots":
			return o, &problem.Details{Status: http.StatusBadRequest, Field: name, Detail: "unknown parameter " + strconv.Quote(name), Allowed: optionsAllowed}
		case len(v) != 1:
			return o, &problem.Details{Status: http.StatusBadRequest, Field: name, Detail: "it is given " + strconv.Itoa(len(v)) + " times", Allowed: "once"}
		case name == "wait" && v[0] == "applied":
			o.wait = true
		case name == "bots" && (v[0] == "keep" || v[0] == "drop"):
			o.dropBots = v[0] == "drop"
		default:
			return o, &problem.Details{Status: http.StatusBadRequest, Field: name, Detail: "bad value " + strconv.Quote(v[0]), Allowed: optionsAllowed}
		}
	}
	return o, nil
}

func closing() *problem.Details {
	return &problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		Detail: "the server is stopping; send the same body again"}
}

func (c *Collector) problem(w http.ResponseWriter, call call, p *problem.Details) {
	c.metrics.answered(call, p.Status)
	problem.Write(w, *p)
}
