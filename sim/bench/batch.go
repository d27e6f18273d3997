package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/batch/archive"
	"speedlayer/batch/compute"
	"speedlayer/batch/views"
	"speedlayer/store"
)

// batchSpan is how long the events of the batch benchmark are spread over: a
// week, so that there are many hours with little in them.
const batchSpan = 7 * 24 * time.Hour

// Batch measures a batch run: from Parquet files to complete, durable views of
// all three kinds by hour, day, week and month, with the edges resolved. The
// baseline is reading the columns that it needs from the same files, as many
// shards at a time as there are cores, and doing nothing with them.
func Batch(ctx context.Context, o Options) (results []Result, err error) {
	a, m, err := openArchive(ctx, o, batchSpan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	read, err := readColumns(ctx, a, m)
	if err != nil {
		return nil, err
	}
	o.Progress("  reading the columns: %.0f events/s", read.rate(o.Events))
	r, err := archiveToViews(ctx, o, a, m)
	if err != nil {
		return nil, err
	}
	r.against("read the columns, do nothing", read.rate(o.Events), "events/s")
	r.detail("cpu of reading the columns", read.cpuPer(o.Events), "ns/event")
	return []Result{r}, nil
}

func readColumns(ctx context.Context, a *archive.Archive, m *archive.Manifest) (cost, error) {
	meter := startMeter()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range m.Shards {
		g.Go(func() error {
			s, err := a.Snapshot(ctx)
			if err != nil {
				return err
			}
			l := &m.Shards[i]
			return s.Scan(ctx, l.Shard(), l.Start, l.End, archive.Events, func(*archive.Columns) error { return nil })
		})
	}
	err := g.Wait()
	return meter.stop(), err
}

func archiveToViews(ctx context.Context, o Options, a *archive.Archive, m *archive.Manifest) (r Result, err error) {
	dir, err := freshDir(o, "batch")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	edges, err := compute.EdgesBefore(ctx, a, m.EdgeEnd())
	if err != nil {
		return r, err
	}
	in := compute.Input{Log: compute.FromArchive(a), Vector: m.Vector(), Number: 1, Edges: edges,
		WorkDir: filepath.Join(dir, "work"), OutDir: filepath.Join(dir, "out")}
	said := time.Now()
	in.Progress = func(p compute.Progress) {
		if time.Since(said) > 2*time.Second {
			said = time.Now()
			o.Progress("  %.0f %%, %.0f events/s", 100*p.Share, p.PerSec)
		}
	}
	meter := startMeter()
	run, err := compute.Run(ctx, in)
	if err != nil {
		return r, err
	}
	c := meter.stop()
	v, err := views.Open(run)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	info := map[string]float64{}
	for name, text := range v.Info() {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return r, err
		}
		info[name] = n
	}
	if info["rows"] != float64(o.Events) || info["events"]+info["duplicates"] != float64(o.Events) {
		return r, fmt.Errorf("of %d rows %v: the measurement is void", o.Events, v.Info())
	}
	r = Result{Name: "batch", What: "Parquet files to views of all three kinds by hour, day, week and month", Value: c.rate(o.Events), Unit: "events/s"}
	c.add(&r, o.Events)
	r.detail("events", float64(o.Events), "")
	r.detail("duplicates dropped", info["duplicates"], "")
	r.detail("equiv edges", float64(len(edges)), "")
	r.detail("cells", info["cells"]/float64(o.Events), "/event")
	r.detail("views", float64(v.Bytes())/float64(o.Events), "B/event")
	r.detail("archive", float64(bytesOf(m))/float64(o.Events), "B/event")
	return r, yearOf(v, &r)
}

func bytesOf(m *archive.Manifest) (n int64) {
	for _, l := range m.Shards {
		for _, f := range l.Files {
			n += f.Bytes
		}
	}
	return n
}

// yearOf adds how long a year of one url takes, of all three views: the url with
// the most views.
func yearOf(v *views.Views, r *Result) error {
	var url string
	var most int
	err := v.ScanURLs(context.Background(), views.Uniques, views.Month, "", "", 0, 1<<30, func(u []byte, _ int32, value []byte) error {
		if len(value) > most {
			url, most = string(u), len(value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	end := int32(time.Date(2026, 1, 10, 5, 0, 0, 0, time.UTC).Unix() / 3600)
	pieces := views.Cover(end-365*24, end, nil)
	var s samples
	for range 1000 {
		began := time.Now()
		for _, p := range pieces {
			for _, view := range [...]store.ViewID{views.Pageviews, views.Uniques, views.Bounces} {
				if err := v.Scan(view, p.Granularity, url, p.From, p.To, func(int32, []byte) error { return nil }); err != nil {
					return err
				}
			}
		}
		s.add(time.Since(began))
	}
	s.spread(r, "a year of "+url+", all views, ")
	return nil
}
