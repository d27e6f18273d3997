package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/sim/generate"
	"speedlayer/store"
)

// queryPause lies between two questions.
const queryPause = 2 * time.Millisecond

// Query measures 24 hours of one url: pageviews, then unique visitors, through
// the query engine, one caller, while events come in at Options.Rate. The store
// holds Options.Events events of the last 24 hours. A sample is the time of both
// questions together, from the call to the answer. Three urls are asked for:
// the page in the middle of the list by popularity; the page that the middle
// view is of; and the most popular domain. The baseline is the same store and
// questions before any event comes in.
func Query(ctx context.Context, o Options) (results []Result, err error) {
	o.Keep = false // events are appended to its log
	q, info, err := openLog(ctx, o, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	dir, err := freshDir(o, "store-query")
	if err != nil {
		return nil, err
	}
	s, err := openSystem(ctx, o, q.client, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.start(ctx)
	if err := s.wait(ctx, info.Ends); err != nil {
		return nil, err
	}
	subjects, err := popularity(o)
	if err != nil {
		return nil, err
	}
	ends := q.client.NewEnds()
	following, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { ends.Follow(following) })
	defer done.Wait()
	defer cancel()
	e := s.engine(ends)
	for i := range subjects {
		if err := subjects[i].ask(ctx, e, &subjects[i].idle, o.Time/4); err != nil {
			return nil, err
		}
	}
	c, n, err := s.askWhileFed(ctx, o, e, subjects)
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		u := &subjects[i]
		r := Result{Name: "query", What: "24 hours of pageviews and uniques of " + u.what + ", p99", Value: ms(u.fed.at(0.99)), Unit: "ms"}
		r.against("no events coming in", ms(u.idle.at(0.99)), "ms")
		u.fed.spread(&r, "")
		r.detail("views of it", float64(u.views), "")
		r.detail("events coming in", c.rate(n), "events/s")
		r.detail("peak resident", c.peak, "MiB")
		results = append(results, r)
	}
	return results, nil
}

// engine is the node's: it too knows where the log ends.
func (s *system) engine(ends *queue.Ends) *query.Engine {
	return query.New(query.Config{Store: s.store, Edges: query.NewEdges(), Now: time.Now,
		LogEnds: func(ctx context.Context) (map[store.Shard]int64, error) {
			known, err := ends.Now(ctx)
			m := make(map[store.Shard]int64, len(known))
			for part, end := range known {
				m[store.Shard{Epoch: s.epoch.Number, Partition: int32(part)}] = end
			}
			return m, err
		}})
}

// subject is a url that is asked for.
type subject struct {
	what, url string
	views     int64
	idle, fed samples
}

// ask asks again and again for a while.
func (u *subject) ask(ctx context.Context, e *query.Engine, to *samples, d time.Duration) error {
	for until := time.Now().Add(d); time.Now().Before(until); {
		end := time.Now().Truncate(time.Hour).Add(time.Hour)
		q := query.URLQuery{URL: u.url, From: end.Add(-24 * time.Hour).UTC().Format(time.RFC3339), To: end.UTC().Format(time.RFC3339)}
		began := time.Now()
		views, err := e.Pageviews(ctx, q)
		if err != nil {
			return err
		}
		if _, err := e.Uniques(ctx, q); err != nil {
			return err
		}
		to.add(time.Since(began))
		if views.Pageviews == 0 {
			return fmt.Errorf("no views of %s: the measurement is void", u.url)
		}
		time.Sleep(queryPause)
	}
	return nil
}

// askWhileFed asks for one subject after the other while events come in.
func (s *system) askWhileFed(ctx context.Context, o Options, e *query.Engine, subjects []subject) (c cost, n int64, err error) {
	g, err := live(o, 3, float64(o.Rate), o.Time*time.Duration(len(subjects)+1))
	if err != nil {
		return c, 0, err
	}
	fed, stop := context.WithCancel(ctx)
	defer stop()
	a := newAppender(s.queue, 50_000, nil)
	m := startMeter()
	var work errgroup.Group
	work.Go(func() (err error) {
		n, err = feed(fed, a, g, float64(o.Rate))
		return errors.Join(err, a.drain())
	})
	for i := range subjects {
		if err = subjects[i].ask(ctx, e, &subjects[i].fed, o.Time); err != nil {
			break
		}
	}
	stop()
	err = errors.Join(err, work.Wait())
	return m.stop(), n, err
}

// popularity counts the stream that the log was filled with.
func popularity(o Options) ([]subject, error) {
	g, err := stream(o, o.Events, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	pages, domains := make(map[string]int64), make(map[string]int64)
	var e generate.Event
	var page []byte
	for g.Next(&e) {
		if e.Kind != generate.Pageview || e.Duplicate {
			continue
		}
		if page, err = event.AppendPage(page[:0], e.URL); err != nil {
			return nil, err
		}
		pages[string(page)]++
		domains[string(event.DomainOf(page))]++
	}
	byViews := func(counts map[string]int64) []string {
		return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
		})
	}
	ranked := byViews(pages)
	middle, middleView := ranked[len(ranked)/2], ranked[0]
	var total, below int64
	for _, n := range pages {
		total += n
	}
	for _, url := range ranked {
		if below += pages[url]; below >= total/2 {
			middleView = url
			break
		}
	}
	top := byViews(domains)[0]
	return []subject{
		{what: "the page of middle popularity", url: "http://" + middle, views: pages[middle]},
		{what: "the page of the middle view", url: "http://" + middleView, views: pages[middleView]},
		{what: "the most popular domain", url: top, views: domains[top]},
	}, nil
}
