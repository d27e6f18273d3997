package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"speedlayer/store"
)

func (s *suite) scans() {
	urls := []string{"a.com", "a.com/", "a.com/x", "a.com/x/y", "a.com/xx", "a.comb", "b.com/", "\u00e9/"}
	var cells []store.Cell
	for _, u := range urls {
		for h := range int32(5) {
			cells = append(cells, cell(u, 10*h, 7, fmt.Sprint(u, h)))
		}
	}
	for p := range int32(3) {
		s.apply(batch(store.Shard{Epoch: uint32(p % 2), Partition: p}, 9, cells...))
	}
	r, err := s.st.Read(s.ctx)
	s.must(err)
	defer r.Close()
	for _, c := range []struct {
		r    store.Range
		want int
	}{
		{store.Range{URL: "a.com/x", From: 0, To: 100}, 15}, {store.Range{URL: "a.com/x", From: 10, To: 30}, 6},
		{store.Range{URL: "a.com/x", From: 11, To: 20}, 0}, {store.Range{URL: "a.com/x", From: 20, To: 20}, 0},
		{store.Range{URL: "a.com/x", From: 30, To: 20}, 0}, {store.Range{URL: "a.com/", Prefix: true, From: 0, To: 100}, 60},
		{store.Range{URL: "a.com/", Prefix: true, From: 10, To: 21}, 24}, {store.Range{URL: "a", Prefix: true, From: 40, To: 41}, 18},
		{store.Range{Prefix: true, FromURL: "a.com/x", To: 100}, 90}, {store.Range{Prefix: true, ToURL: "a.com/x", To: 100}, 30},
		{store.Range{Prefix: true, FromURL: "a.com/x\x01", ToURL: "a.com/xx", To: 100}, 15}, {store.Range{URL: "a.com/x", Prefix: true, FromURL: "a.com/x/", ToURL: "z", To: 100}, 30},
		{store.Range{URL: "a.com/x", Prefix: true, FromURL: "a", ToURL: "a.com/x/y", From: 10, To: 21}, 6}, {store.Range{Prefix: true, FromURL: "b", ToURL: "a", To: 100}, 0},
		{store.Range{URL: "a.com/", Prefix: true, FromURL: "b", To: 100}, 0}, {store.Range{URL: "b.com/", Prefix: true, ToURL: "b", To: 100}, 0},
		{store.Range{Prefix: true, From: 0, To: 1 << 30}, 120}, {store.Range{URL: "nothing", From: 0, To: 100}, 0},
	} {
		c.r.View = 1
		var last store.ScanCell
		n := 0
		s.must(r.Scan(s.ctx, c.r, func(got *store.ScanCell) error {
			if n > 0 {
				order := bytes.Compare(last.URL, got.URL)
				if order == 0 {
					order = int(last.Hour - got.Hour)
				}
				if order == 0 {
					order = last.Shard.Compare(got.Shard)
				}
				if order >= 0 {
					s.Errorf("%+v: %s %d %v comes before %s %d %v", c.r, last.URL, last.Hour, last.Shard, got.URL, got.Hour, got.Shard)
				}
			}
			if got.Hour < c.r.From || got.Hour >= c.r.To {
				s.Errorf("%+v: hour %d", c.r, got.Hour)
			}
			last = *got
			last.URL = bytes.Clone(got.URL)
			n++
			return nil
		}))
		if n != c.want {
			s.Errorf("%+v: %d cells, want %d", c.r, n, c.want)
		}
		s.scansDomains(r, c.r)
	}
}

// scansDomains compares ScanDomains with Scan, for a reader that has both.
func (s *suite) scansDomains(r store.Reader, rg store.Range) {
	d, ok := r.(store.DomainScanner)
	if !ok {
		return
	}
	text := func(c *store.ScanCell) string {
		return fmt.Sprintf("%s %d %v %d %x", c.URL, c.Hour, c.Shard, c.Version, c.Value)
	}
	var have, want []string
	s.must(d.ScanDomains(s.ctx, rg, func(c *store.ScanCell) error { have = append(have, text(c)); return nil }))
	s.must(r.Scan(s.ctx, rg, func(c *store.ScanCell) error {
		if bytes.IndexByte(c.URL, '/') < 0 {
			want = append(want, text(c))
		}
		return nil
	}))
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		s.Errorf("%+v: domains are %v, want %v", rg, have, want)
	}
}
