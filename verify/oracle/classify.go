package oracle

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// maxAhead is how far an event may lie ahead of log time, in ms.
const maxAhead = 24 * 60 * 60 * 1000

// maxURLs bounds the memory of urls that were parsed.
const maxURLs = 1 << 20

func (o *Oracle) addMarker(r Record) {
	m, err := parseMarker(r.Value)
	if err == nil && m.Generation > o.counts.Generation {
		err = o.unknown(r, m.Generation)
	}
	switch {
	case err != nil:
		o.counts.Rejected++
		o.dead = append(o.dead, DeadLetter{r, err.Error()})
	case m.Generation <= o.counts.Generation:
		o.counts.MarkersIgnored++
	default:
		o.counts.Markers++
		o.counts.Generation = m.Generation
		o.counts.GenerationStart = r.Offset + 1
		if m.Settings != nil {
			o.settings = *m.Settings
		}
	}
}

// addPageview classifies a record that is not a marker. Its error is why the record is
// rejected.
func (o *Oracle) addPageview(r Record) error {
	pv, here, err := o.classify(r)
	if err != nil || !here {
		return err
	}
	if !o.dedupe.isNew(pair{pv.Nonce, pv.Person}, o.counts.LogTime, o.settings.DedupeWindow, o.settings.DedupeEntries) {
		o.counts.Duplicates++
		return nil
	}
	o.counts.Events++
	o.apply(&pv, r.Offset)
	return nil
}

// classify reports what a record is but for duplicates: a pageview that counts in this
// partition, or not here, or rejected.
func (o *Oracle) classify(r Record) (pv Pageview, counts bool, err error) {
	here := Source{o.opt.Epoch, o.opt.Partition, r.Offset}
	origin := here
	text, reroutedIn := o.reroutedFrom(r)
	if reroutedIn {
		from, err := parseSource(text)
		if err != nil {
			return pv, false, err
		}
		o.counts.ReroutedIn++
		p := sourcePartition{from.Epoch, from.Partition}
		if highest, had := o.sources[p]; had && from.Offset <= highest {
			o.counts.ReroutedAgain++
			return pv, false, nil
		}
		o.sources[p] = from.Offset
		origin = from
	}

	if pv, err = decode(r.Value, r.Timestamp, o.page); err != nil {
		return pv, false, err
	}
	if pv.TS > o.counts.LogTime+maxAhead {
		return pv, false, errors.New("ts is more than 24 hours ahead of the log")
	}
	if pv.Nonce == "" {
		pv.Nonce = fmt.Sprintf("%s/%d/%d/%d", o.opt.Topic, origin.Epoch, origin.Partition, origin.Offset)
	}

	if target := partitionOf(pv.Person, o.opt.Partitions); target != o.opt.Partition {
		if reroutedIn && origin.Epoch == here.Epoch {
			return pv, false, fmt.Errorf("rerouted twice in an epoch: the person belongs to partition %d", target)
		}
		o.counts.ReroutedOut++
		o.rerouted = append(o.rerouted, Rerouted{target, []byte(pv.Person), pv.encode(), pv, here})
		return pv, false, nil
	}
	return pv, true, nil
}

// apply changes the cells of one event.
func (o *Oracle) apply(pv *Pageview, offset int64) {
	domain, hour, hash := Domain(pv.Page), hourOf(pv.TS), personHash(pv.Person)
	for _, url := range []string{pv.Page, domain} {
		o.change(Pageviews, url, hour, func(c *cell) { c.addPageview(offset) })
		o.change(Uniques, url, hour, func(c *cell) { c.addPerson(hash, offset, o.settings.ExactVisitors) })
	}
	deltas := o.visits.view(visitKey{domain, pv.Person}, pv.TS, o.counts.LogTime,
		o.settings.VisitsWindow, o.settings.VisitsEntries)
	for h, d := range deltas { // each hour is a cell of its own: in any order
		o.change(Bounces, domain, h, func(c *cell) { c.addVisits(d, offset) })
	}
}

// page is Page with a memory, since most urls come again.
func (o *Oracle) page(raw string) (string, error) {
	if page, ok := o.urls[raw]; ok {
		return page, nil
	}
	page, err := Page(raw)
	if err == nil {
		if len(o.urls) >= maxURLs {
			clear(o.urls)
		}
		o.urls[raw] = page
	}
	return page, err
}

var sourceText = regexp.MustCompile(`^(\d+)/(\d+)/(\d+)$`)

// parseSource reads "epoch/partition/offset".
func parseSource(text string) (Source, error) {
	m := sourceText.FindStringSubmatch(text)
	if m == nil {
		return Source{}, fmt.Errorf("rerouted from %q", text)
	}
	epoch, err1 := strconv.ParseUint(m[1], 10, 32)
	partition, err2 := strconv.ParseInt(m[2], 10, 32)
	offset, err3 := strconv.ParseInt(m[3], 10, 64)
	return Source{uint32(epoch), int32(partition), offset}, errors.Join(err1, err2, err3)
}
