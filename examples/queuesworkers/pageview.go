package main

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Pageview is what lies in the queue, as JSON.
type Pageview struct {
	URL    string `json:"url"` // host/path
	Millis int64  `json:"ts"`  // Unix time
}

// Key is what pageviews are counted by: "URL HOUR", the hour as in 2026-12-01T10.
func (p *Pageview) Key() string {
	return p.URL + " " + time.UnixMilli(p.Millis).UTC().Format("2006-01-02T15")
}

var errInvalid = errors.New("not a pageview: it needs a URL, as in foo.com/about, and a time")

// decode is the step "filter and validate", which all systems share.
func decode(raw []byte) (*Pageview, error) {
	p := new(Pageview)
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	if host, _, ok := strings.Cut(p.URL, "/"); !ok || host == "" || p.Millis <= 0 {
		return nil, errInvalid
	}
	return p, nil
}
