package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/query/api"
	"speedlayer/queue"
	"speedlayer/sim/generate"
)

// queryPause lies between two questions.
const queryPause = 2 * time.Millisecond

// Query measures 24 hours of one url: pageviews, then unique visitors, over HTTP
// from serve, one caller, while events come in at Options.Rate. The store holds
// Options.Events events of the last 24 hours. A sample is the time of both
// questions together, from the call to the answer. Three urls are asked for:
// the page in the middle of the list by popularity; the page that the middle
// view is of; and the most popular domain. The baseline is the same process and
// questions before any event comes in.
func Query(ctx context.Context, o Options) (results []Result, err error) {
	f, err := feedable(ctx, o, "query")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	g, err := stream(o, o.Events, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(loadLog(ctx, o, f.client, g, o.Events), f.probe(ctx)); err != nil {
		return nil, err
	}
	subjects, err := popularity(o)
	if err != nil {
		return nil, err
	}
	a, err := api.NewClient(f.url, f.http)
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		if err := subjects[i].ask(ctx, a, &subjects[i].idle, o.Time/4); err != nil {
			return nil, err
		}
	}
	rate, err := askWhileFed(ctx, o, f.client, a, subjects)
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		u := &subjects[i]
		r := Result{Name: "query", What: "24 hours of pageviews and uniques of " + u.what + " from serve over HTTP, p99", Value: ms(u.fed.at(0.99)), Unit: "ms"}
		r.against("no events coming in", ms(u.idle.at(0.99)), "ms")
		u.fed.spread(&r, "")
		r.detail("views of it", float64(u.views), "")
		r.detail("events coming in", rate, "events/s")
		r.detail("peak resident of serve", f.peak(), "MiB")
		results = append(results, r)
	}
	return results, nil
}

// subject is a url that is asked for.
type subject struct {
	what, url string
	views     int64
	idle, fed samples
}

// ask asks again and again for a while.
func (u *subject) ask(ctx context.Context, a query.Answers, to *samples, d time.Duration) error {
	for until := time.Now().Add(d); time.Now().Before(until); {
		end := time.Now().Truncate(time.Hour).Add(time.Hour)
		q := query.URLQuery{URL: u.url, From: end.Add(-24 * time.Hour).UTC().Format(time.RFC3339), To: end.UTC().Format(time.RFC3339)}
		began := time.Now()
		views, err := a.Pageviews(ctx, q)
		if err != nil {
			return err
		}
		if _, err := a.Uniques(ctx, q); err != nil {
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

// askWhileFed asks for one subject after the other while events come in, at the
// rate that it returns.
func askWhileFed(ctx context.Context, o Options, to *queue.Client, a query.Answers, subjects []subject) (rate float64, err error) {
	g, err := live(o, 3, float64(o.Rate), o.Time*time.Duration(len(subjects)+1))
	if err != nil {
		return 0, err
	}
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	app := newAppender(to, 50_000, nil)
	began, n := time.Now(), int64(0)
	var work errgroup.Group
	work.Go(func() (err error) {
		n, err = feed(feeding, app, g, float64(o.Rate))
		return errors.Join(err, app.drain())
	})
	for i := range subjects {
		if err = subjects[i].ask(ctx, a, &subjects[i].fed, o.Time); err != nil {
			break
		}
	}
	stop()
	err = errors.Join(err, work.Wait())
	return float64(n) / time.Since(began).Seconds(), err
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
