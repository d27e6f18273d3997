package query

import (
	"context"
	"slices"

	"github.com/zeebo/xxh3"

	"speedlayer/store"
	"speedlayer/view"
)

// sample finds the urls to compare, with the hours in which the absorbed
// generations have cells: all domains, and the pages with a low hash.
func (c *comparison) sample(ctx context.Context) (map[string]*hourSet, error) {
	domains, pages := lowest{most: maxAccuracyDomains}, lowest{most: maxAccuracyPages}
	for _, v := range []store.ViewID{view.PageviewsView, view.BouncesView} {
		rg := store.Range{View: v, Prefix: true, To: allTime}
		if err := c.speed.scan(ctx, rg, func(cell *store.ScanCell) error {
			in := &domains
			if slices.Contains(cell.URL, '/') {
				in = &pages
			}
			in.add(cell.URL, cell.Hour)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	c.a.Domains, c.a.Pages = len(domains.urls), len(pages.urls)
	all := map[string]*hourSet{}
	for _, l := range []*lowest{&domains, &pages} {
		for url, hours := range l.urls {
			all[url] = hours
		}
	}
	return all, nil
}

// lowest keeps the urls with the lowest hashes.
type lowest struct {
	most  int
	bound uint64 // hashes at or above it are left out; 0 means no bound
	urls  map[string]*hourSet
}

func (l *lowest) add(url []byte, hour int32) {
	if l.urls == nil {
		l.urls = map[string]*hourSet{}
	}
	hours := l.urls[string(url)]
	if hours == nil {
		if l.bound > 0 && xxh3.Hash(url) >= l.bound {
			return
		}
		hours = &hourSet{}
		l.urls[string(url)] = hours
		if len(l.urls) > l.most {
			l.halve()
		}
	}
	hours.add(hour)
}

// halve drops the urls in the higher half of the hashes.
func (l *lowest) halve() {
	for len(l.urls) > l.most {
		if l.bound == 0 {
			l.bound = 1 << 63
		} else {
			l.bound /= 2
		}
		for url := range l.urls {
			if xxh3.HashString(url) >= l.bound {
				delete(l.urls, url)
			}
		}
	}
}
