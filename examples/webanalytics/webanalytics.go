package webanalytics

import (
	"math"
	"strings"
	"sync"
	"time"

	"speedlayer/event"
	"speedlayer/topology"
)

// View is a pageview with its page, as in "foo.com/about".
type View struct {
	Page, Domain, Person, Nonce string
	Millis                      int64
}

// at is a view as one of a page or of a domain.
type at struct {
	url  string
	view *View
}

// Results are where the answers are.
type Results struct {
	Pageviews *topology.Counts  // of a page or a domain
	Uniques   *topology.Uniques // of a page or a domain
	Visits    *topology.Sums    // of a domain, by the hour in which they begin
	Bounces   *topology.Sums    // visits of one view
}

// What is remembered of a person's visits of a domain, as by package view.
const (
	visitsWindow  = 4 * time.Hour
	visitsEntries = 256 << 10
)

// New builds the topology.
func New() (*topology.Topology, Results) {
	t := topology.New("webanalytics")
	views := topology.Source(t, "pageviews", Codec,
		topology.Owner(func(v *View) string { return v.Person }), topology.Nonce(func(v *View) string { return v.Nonce }))

	urls := topology.FlatMap(views, "page-and-domain", func(v *View) []at { return []at{{v.Page, v}, {v.Domain, v}} })
	url := topology.By(urls, "url", func(a at) string { return a.url }, topology.Hours(func(a at) time.Time { return time.UnixMilli(a.view.Millis) }))

	changes := topology.Remember(views, "visits-of-person", func(v *View) string { return v.Domain + "\x00" + v.Person },
		topology.Memory[visits]{States: visitsCodec, Window: visitsWindow, Entries: visitsEntries}, visits.add)
	domain := topology.By(changes, "domain", func(c change) string { return c.domain }, topology.Hours(func(c change) time.Time { return time.UnixMilli(c.at) }))

	return t, Results{
		Pageviews: topology.Count(url, "pageviews-of-url"),
		Uniques:   topology.Unique(url, "uniques", func(a at) string { return a.view.Person }),
		Visits:    topology.Sum(domain, "visits", func(c change) int64 { return c.visits }),
		Bounces:   topology.Sum(domain, "bounces", func(c change) int64 { return c.bounces }),
	}
}

// Codec reads what lies in the topic pageviews: package event has the rules.
var Codec = topology.Codec[*View]{
	Name: "pageview",
	Append: func(dst []byte, v *View) []byte {
		return event.AppendJSON(dst, &event.Pageview{Nonce: []byte(v.Nonce), HasNonce: v.Nonce != "", Person: []byte(v.Person), URL: []byte("http://" + v.Page), TS: v.Millis})
	},
	Decode: func(b []byte) (*View, error) {
		d := decoders.Get().(*decoder)
		defer decoders.Put(d)
		// The codec knows no log time, so no event is ahead of it.
		page, err := d.Accept(d.page[:0], b, 0, math.MaxInt64-event.MaxAheadLog, &d.pv)
		d.page = page
		if err != nil {
			return nil, err
		}
		d.text = append(append(append(d.text[:0], page...), d.pv.Person...), d.pv.Nonce...)
		text := string(d.text) // one copy for all
		v := &View{Page: text[:len(page)], Person: text[len(page) : len(page)+len(d.pv.Person)], Nonce: text[len(page)+len(d.pv.Person):], Millis: d.pv.TS}
		v.Domain = v.Page[:strings.IndexByte(v.Page, '/')]
		return v, nil
	},
}

// decoder is event's, with buffers; one at a time has it.
type decoder struct {
	event.Decoder
	pv         event.Pageview
	page, text []byte
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}
