package imports

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"speedlayer/event"
	"speedlayer/queue"
)

// places are the parts of the log that may contain messages of a batch.
type places struct {
	topic  string
	from   []int64 // search from here to the end; nil: nowhere
	before bool    // search also below since, with the nonces that lines had then
}

// key is a hash of what identifies a pageview: 128 bits of nonce and person. Nonces
// from the time before rows did not contain the site, so it is added.
type key = xxh3.Uint128

func keyOf(nonce, person, site []byte) key {
	h := xxh3.New()
	for _, part := range [][]byte{nonce, person, site} {
		_, _ = h.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		_, _ = h.Write(part)
	}
	return h.Sum128()
}

// finder looks for messages among records.
type finder struct {
	decoder event.Decoder
	pv      event.Pageview
	page    []byte
	wanted  map[key][]int // indexes of messages
	sites   bool          // some keys include a site
	found   []bool
}

// find reports which messages are in the log at these places; nil stands for none.
func (l *Ledger) find(ctx context.Context, log queue.TopicInfo, p places, messages []Message) ([]bool, error) {
	from := make([][2]int64, log.Partitions)
	before := since{}
	if p.before {
		var err error
		if before, err = l.since(ctx); err != nil {
			return nil, err
		}
	}
	work := false
	for part := range from {
		from[part] = rangeOf(part, log, p, before)
		work = work || from[part][0] < from[part][1]
	}
	if !work {
		return nil, nil
	}
	f, err := newFinder(messages, p.before)
	if err != nil {
		return nil, err
	}
	for part, r := range from {
		if err := l.cfg.Log.ReadEverything(ctx, int32(part), r[0], r[1], f.look); err != nil {
			return nil, err
		}
	}
	return f.found, nil
}

// rangeOf returns the range of a partition that must be searched.
func rangeOf(part int, log queue.TopicInfo, p places, before since) [2]int64 {
	start, end := log.Starts[part], log.Ends[part]
	from, to := end, end
	if p.from != nil {
		from = start
		if p.topic == log.ID && part < len(p.from) && p.from[part] <= end {
			from = max(start, p.from[part])
		}
	}
	if p.before { // from the start; to the end if the other place is not empty
		if from == end {
			to = 0
			if before.Topic == log.ID && part < len(before.Ends) {
				to = min(before.Ends[part], end)
			}
		}
		from = start
	}
	return [2]int64{from, max(from, to)}
}

func newFinder(messages []Message, sites bool) (*finder, error) {
	f := &finder{wanted: make(map[key][]int, len(messages)), sites: sites, found: make([]bool, len(messages))}
	for i, m := range messages {
		if err := f.decoder.Decode(m.Value, &f.pv); err != nil {
			return nil, err
		}
		f.want(keyOf(f.pv.Nonce, f.pv.Person, nil), i)
		if sites && m.Was != "" {
			f.want(keyOf([]byte(m.Was), f.pv.Person, f.site()), i)
		}
	}
	return f, nil
}

func (f *finder) want(k key, i int) { f.wanted[k] = append(f.wanted[k], i) }

// site returns the domain of the current pageview.
func (f *finder) site() []byte {
	page, err := event.AppendPage(f.page[:0], f.pv.URL)
	f.page = page[:0]
	if err != nil {
		return []byte("?") // not a possible name of a domain
	}
	return event.DomainOf(page)
}

// look marks the messages that a record matches.
func (f *finder) look(r *kgo.Record) error {
	f.decoder.Time = r.Timestamp.UnixMilli()
	if f.decoder.Decode(r.Value, &f.pv) != nil || !f.pv.HasNonce {
		return nil // a marker, or a record that was not written by an import
	}
	for _, i := range f.wanted[keyOf(f.pv.Nonce, f.pv.Person, nil)] {
		f.found[i] = true
	}
	if f.sites {
		for _, i := range f.wanted[keyOf(f.pv.Nonce, f.pv.Person, f.site())] {
			f.found[i] = true
		}
	}
	return nil
}
