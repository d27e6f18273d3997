package bench

import (
	"context"
	"fmt"
	"time"
)

// stretch is a part of the log that was absorbed, and what that took.
type stretch struct {
	wall, starting     time.Duration
	events             float64
	cells, rows        float64
	ours, kafka, hbase time.Duration // processor time
	resident           float64       // MiB, all processors
	retries            float64
	duplicates         int64 // since the log began
}

// absorb starts the site's processors and measures how they take up what lies in
// the log: from the moment when the partitions are assigned, with caches that are
// cold, until all is committed.
func (s *site) absorb(ctx context.Context, ends []int64) (w stretch, err error) {
	before, err := s.offsets(ctx)
	if err != nil {
		return w, err
	}
	began := time.Now()
	if err := s.launch(ctx, s.processes); err != nil {
		return w, err
	}
	if err := s.assigned(ctx); err != nil {
		return w, err
	}
	from, err := s.gauge(ctx)
	if err != nil {
		return w, err
	}
	w.starting = from.at.Sub(began)
	if from.offsets == sum(ends) { // too little to take the start out
		from = reading{at: began, offsets: before}
	}
	if err := s.reached(ctx, atLeast(ends)); err != nil {
		return w, err
	}
	to, err := s.gauge(ctx)
	if err != nil {
		return w, err
	}
	w.wall, w.events = to.at.Sub(from.at), float64(to.offsets-from.offsets)
	w.cells, w.rows, w.retries = to.cells-from.cells, to.rows-from.rows, to.retries-from.retries
	w.ours, w.kafka, w.hbase, w.resident = to.ours-from.ours, to.kafka-from.kafka, to.hbase-from.hbase, to.resident
	if err := s.stop(ctx); err != nil {
		return w, err
	}
	counts, err := s.counts(ctx)
	w.duplicates = counts.Duplicates
	if err == nil && counts.Events+counts.Duplicates+counts.Markers != counts.Records {
		err = fmt.Errorf("of %d records %d were counted, and %d are duplicates: the measurement is void", counts.Records, counts.Events, counts.Duplicates)
	}
	return w, err
}

// reading is where everything stands at a moment.
type reading struct {
	at                             time.Time
	offsets                        int64
	cells, rows, retries, resident float64
	ours, kafka, hbase             time.Duration
}

func (s *site) gauge(ctx context.Context) (g reading, err error) {
	if g.offsets, err = s.offsets(ctx); err != nil {
		return g, err
	}
	g.at = time.Now()
	g.kafka, g.hbase = s.servers.cpu("kafka"), s.servers.cpu("zookeeper", "master", "regionserver")
	for _, m := range s.members {
		v, err := m.metrics(ctx)
		if err != nil {
			return g, err
		}
		g.cells += v["speedlayer_cells_written_total"]
		g.rows += v["speedlayer_store_rows_total"]
		g.retries += v["speedlayer_store_retries_total"]
		g.resident += v["process_resident_memory_bytes"] / (1 << 20)
		g.ours += time.Duration(v["process_cpu_seconds_total"] * float64(time.Second))
	}
	return g, nil
}

func (w stretch) rate() float64 { return w.events / w.wall.Seconds() }

func (w stretch) result(processes, generations int) Result {
	r := Result{Name: "cluster", Value: w.rate(), Unit: "events/s",
		What: fmt.Sprintf("log to durable, deduped views on Kafka and HBase, %s, %s", count(processes, "processor process", "es"), count(generations, "generation", "s"))}
	r.detail("rows put", w.rows/w.wall.Seconds(), "rows/s")
	r.detail("cells put", w.cells/w.wall.Seconds(), "cells/s")
	r.detail("rows", w.rows/w.events, "/event")
	r.detail("events measured", w.events, "")
	r.detail("start until the partitions were assigned", w.starting.Seconds(), "s")
	for _, c := range []struct {
		what string
		time time.Duration
	}{{"our processes", w.ours}, {"Kafka", w.kafka}, {"HBase and ZooKeeper", w.hbase}} {
		r.detail("cpu of "+c.what, float64(c.time.Nanoseconds())/w.events, "ns/event")
		r.detail("cores of "+c.what, c.time.Seconds()/w.wall.Seconds(), "")
	}
	r.detail("resident, all our processes", w.resident, "MiB")
	r.detail("requests to HBase tried again", w.retries, "")
	r.detail("duplicates dropped since the log began", float64(w.duplicates), "")
	return r
}

func count(n int, what, plural string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %s%s", n, what, plural)
}
