package bench

import (
	"context"
	"errors"
	"time"

	"speedlayer/query/api"
)

// clusterDay is the part of the events that lie in 24 hours, for the questions.
const clusterDay = 5

// query asks for 24 hours of one url, as [Query] does, a process that has the role
// query, with the store in HBase and the processors in other processes, first with nothing coming in,
// then at clusterRate.
func (c *servers) query(ctx context.Context) (results []Result, err error) {
	day := c.o
	day.Events, day.Seed = c.o.Events/clusterDay, c.o.Seed+2
	ends, err := c.load(ctx, day, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	s := c.sites[len(c.sites)-1]
	s.processes = 2
	if err := s.launch(ctx, s.processes); err != nil {
		return nil, err
	}
	if err := s.reached(ctx, atLeast(ends)); err != nil {
		return nil, err
	}
	front, err := s.startMember(s.prefix+"-query", "query")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, front.Kill()) }()
	if err := front.ready(ctx); err != nil {
		return nil, err
	}
	subjects, err := popularity(day)
	if err != nil {
		return nil, err
	}
	a, err := api.NewClient(front.url, c.http)
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		if err := subjects[i].ask(ctx, a, &subjects[i].idle, c.o.Time/2); err != nil {
			return nil, err
		}
	}
	slow := c.o
	slow.Rate = clusterRate
	rate, err := askWhileFed(ctx, slow, c.queue, a, subjects)
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		u := &subjects[i]
		r := Result{Name: "cluster", What: "24 hours of pageviews and uniques from HBase of " + u.what + ", p99", Value: ms(u.fed.at(0.99)), Unit: "ms"}
		r.against("no events coming in", ms(u.idle.at(0.99)), "ms")
		r.detail("p50 with no events coming in", ms(u.idle.at(0.5)), "ms")
		u.fed.spread(&r, "")
		r.detail("views of it in these 24 hours", float64(u.views), "")
		r.detail("events coming in", rate, "events/s")
		c.o.Progress("  %s: p50 %.1f ms, p99 %.1f ms", u.what, ms(u.fed.at(0.5)), r.Value)
		results = append(results, r)
	}
	return results, nil
}
