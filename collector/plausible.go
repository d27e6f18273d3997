package collector

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"speedlayer/collector/bots"
	"speedlayer/event"
	"speedlayer/internal/problem"
)

// serveEvent is POST /api/event, as Plausible's trackers call it, with short
// names of fields or long ones. The person is the client's address. Only the
// event pageview counts; others are answered alike. What else they send (domain,
// props, revenue) is not used: the domain is that of the url. With h = 1 the site
// routes by fragment. Ours adds a nonce, and an age in ms to what it sends late.
func (c *Collector) serveEvent(w http.ResponseWriter, r *http.Request) {
	allowAnyOrigin(w)
	lines, p := bodyType(r.Header)
	if p == nil && lines {
		p = &problem.Details{Status: http.StatusUnsupportedMediaType, Field: "Content-Type",
			Detail: "JSON lines are not taken here", Allowed: "application/json or text/plain; JSON lines at /api/v1/pageviews"}
	}
	if p != nil {
		c.problem(w, callEvent, p)
		return
	}
	b, ok := c.open()
	if !ok {
		c.problem(w, callEvent, closing())
		return
	}
	defer b.close()
	if p = b.read(w, r); p == nil {
		p = b.event(r)
	}
	if p != nil {
		c.problem(w, callEvent, p)
		return
	}
	c.metrics.answered(callEvent, http.StatusAccepted)
	h := w.Header()
	if b.dropped.events > 0 {
		h.Set("X-Plausible-Dropped", strconv.Itoa(b.dropped.events)) // as Plausible does
	}
	h["Content-Type"] = textType
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(eventTaken)
}

var (
	textType   = []string{"text/plain; charset=utf-8"}
	eventTaken = []byte("ok")
)

// event takes the one event of the body.
func (b *batch) event(r *http.Request) *problem.Details {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b.body, &fields); err != nil || fields == nil {
		return eventProblem("body", "the body is not a JSON object", `{"name":"pageview","url":"https://...","domain":"..."}`)
	}
	name, ok := text(pick(fields, "n", "name"))
	if !ok || name == "" {
		return eventProblem("name", "the event's name is missing, or no text", "pageview, or the name of an event")
	}
	if name != "pageview" {
		b.c.metrics.ignored.Inc()
		return nil
	}
	if agent := r.UserAgent(); b.dropBots && b.c.bots.Kind([]byte(agent)) == bots.Library {
		// A program that sends events for its visitors, and not a visitor.
		b.dropBots = false
	}
	person, ok := clientAddr(r, b.c.cfg.TrustedProxies)
	if !ok {
		return eventProblem("X-Forwarded-For", "the client's address is not known", "an IP address")
	}
	b.c.warnOfProxy(r, person)
	age, p := eventAge(pick(fields, "age"))
	if p != nil {
		return p
	}
	if r := pick(fields, "referrer"); r != nil {
		if _, ok := text(r); !ok { // also where the short name is given
			return eventProblem("referrer", "the referrer is not text", "text, or null")
		}
	}
	// Written as the object that /api/v1/pageviews takes, the values as they
	// came: the rules of fields then are the same, text that is not UTF-8
	// included.
	value := append(b.object[:0], `{"person":"`...)
	value = person.AppendTo(value)
	value = append(value, `","ts":`...)
	value = strconv.AppendInt(value, b.now-age, 10)
	for _, f := range [...]struct {
		name string
		raw  json.RawMessage
	}{
		{"url", eventURL(fields)},
		{"nonce", pick(fields, "nonce")},
		{"referrer", pick(fields, "r", "referrer")},
		{"user_agent", userAgent(r)},
	} {
		if len(f.raw) > 0 {
			value = append(value, `,"`+f.name+`":`...)
			value = append(value, f.raw...)
		}
	}
	b.object = append(value, '}')
	if err := b.take(b.object); err != nil {
		b.c.metrics.reject(err)
		return rejectionProblem(err)
	}
	if p = b.store(r.Context(), false); p == nil {
		b.c.metrics.drop(b.dropped)
	}
	return p
}

// maxEventAge bounds how late a tracker may send, in ms.
const maxEventAge = 60 * 60 * 1000

// eventAge is how long ago a tracker saw the page, in ms. Its clock may be
// wrong, so it sends no time.
func eventAge(raw json.RawMessage) (int64, *problem.Details) {
	if raw == nil {
		return 0, nil
	}
	var age float64 // 5.0 is a whole number too
	if err := json.Unmarshal(raw, &age); err != nil || age < 0 || age > maxEventAge || age != math.Trunc(age) {
		return 0, eventProblem("age", "the age is not taken", "whole milliseconds, 0 to "+strconv.Itoa(maxEventAge))
	}
	return int64(age), nil
}

// eventURL is the url, with a route in its fragment made a part of the page if
// the tracker asks for that, as Plausible's do with h = 1.
func eventURL(fields map[string]json.RawMessage) json.RawMessage {
	raw := pick(fields, "u", "url")
	if hash := string(pick(fields, "h", "hash")); hash != "1" && hash != "true" {
		return raw
	}
	url, ok := text(raw)
	if !ok {
		return raw
	}
	with := event.WithRoute(url)
	if with == url {
		return raw
	}
	out, err := json.Marshal(with)
	if err != nil { // a string always can be written
		panic(err)
	}
	return out
}

// pick returns the first of the fields that is there and not null.
func pick(fields map[string]json.RawMessage, names ...string) json.RawMessage {
	for _, name := range names {
		if raw := fields[name]; len(raw) > 0 && string(raw) != "null" {
			return raw
		}
	}
	return nil
}

func text(raw json.RawMessage) (s string, ok bool) {
	return s, json.Unmarshal(raw, &s) == nil
}

// userAgent is the header as a JSON string; bytes that are no UTF-8 become
// U+FFFD, since a strange header is no reason to reject a pageview.
func userAgent(r *http.Request) json.RawMessage {
	agent := r.UserAgent()
	if agent == "" {
		return nil
	}
	raw, err := json.Marshal(agent)
	if err != nil {
		return nil
	}
	return raw
}

func eventProblem(field, detail, allowed string) *problem.Details {
	return &problem.Details{Status: http.StatusBadRequest, Field: field, Detail: detail, Allowed: allowed}
}

func rejectionProblem(err error) *problem.Details {
	p := &problem.Details{Status: http.StatusBadRequest, Detail: err.Error()}
	if r, ok := err.(*event.Rejection); ok {
		p.Field = r.Field
	}
	return p
}
