package batch

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"speedlayer/batch/views"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// Views are the views of one run, as query.Views has them. Not changed once made.
type Views struct {
	run   *oracle.Base
	cells [len(views.Granularities)][]cell // by view, url, bucket
}

type cell struct {
	view   store.ViewID
	url    string
	bucket int32
	value  []byte
}

func (c *cell) compare(view store.ViewID, url string, bucket int32) int {
	return cmp.Or(cmp.Compare(c.view, view), cmp.Compare(c.url, url), cmp.Compare(c.bucket, bucket))
}

// NewViews are the views of a run.
func NewViews(run *oracle.Base) *Views {
	v := &Views{run: run}
	run.Each(func(k oracle.BatchKey, c oracle.BatchValue) {
		g := slices.IndexFunc(views.Granularities[:], func(g views.Granularity) bool { return g.Hours() == k.Hours })
		value := views.Visits{Raw: c.Raw, RawBounces: c.RawBounces, Canonical: c.Canonical, CanonicalBounces: c.CanonicalBounces}.Append(nil)
		if k.View != oracle.Bounces {
			value = oracle.Value{Pageviews: c.Pageviews, Hashes: c.Hashes, Registers: c.Registers}.Bytes(k.View)
		}
		v.cells[g] = append(v.cells[g], cell{store.ViewID(k.View), k.URL, k.Begin / k.Hours, value})
	})
	return v
}

// Scan is as that of views.Views.
func (v *Views) Scan(view store.ViewID, g views.Granularity, url string, from, to int32, fn func(bucket int32, value []byte) error) error {
	return v.ScanURLs(context.Background(), view, g, url, url+"\x00", from, to, func(_ []byte, bucket int32, value []byte) error { return fn(bucket, value) })
}

// ScanURLs is as that of views.Views.
func (v *Views) ScanURLs(ctx context.Context, view store.ViewID, g views.Granularity, fromURL, toURL string, from, to int32, fn func(url []byte, bucket int32, value []byte) error) error {
	cells := v.cells[g]
	at, _ := slices.BinarySearchFunc(cells, fromURL, func(c cell, url string) int { return c.compare(view, url, -1) })
	for ; at < len(cells); at++ {
		c := &cells[at]
		if c.view != view || toURL != "" && c.url >= toURL {
			return nil
		}
		if c.bucket < from || c.bucket >= to {
			continue
		}
		value := slices.Clone(c.value)
		err := fn([]byte(c.url), c.bucket, value)
		for i := range value {
			value[i] = 0xff // valid during the call only
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ScanDomains is as that of views.Views, but in order over all parts.
func (v *Views) ScanDomains(ctx context.Context, view store.ViewID, g views.Granularity, from, to int32, fn func(domain []byte, bucket int32, value []byte) error) error {
	return v.ScanURLs(ctx, view, g, "", "", from, to, func(url []byte, bucket int32, value []byte) error {
		if bytes.IndexByte(url, '/') >= 0 {
			return nil
		}
		return fn(url, bucket, value)
	})
}

// Canonical is as that of views.Views.
func (v *Views) Canonical(raw uint64) uint64 { return v.run.Canonical(raw) }

// Lost is none: its log is in memory.
func (v *Views) Lost() int64 { return 0 }

// Close does nothing.
func (v *Views) Close() error { return nil }
