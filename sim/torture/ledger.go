package torture

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// View is one pageview as a client made it.
type View struct {
	Nonce, Person string
	Domain, Path  string // the page is Domain + Path
	TS            int64  // ms since 1970
}

// cellKey is a page or a domain in one hour.
type cellKey struct {
	url  string
	hour string
}

// count is what a cell must say.
type count struct {
	pageviews int64
	persons   map[string]bool
}

// Ledger is what was acknowledged. Safe for concurrent use.
type Ledger struct {
	mu struct {
		sync.Mutex
		cells map[cellKey]*count
		views int64
	}
}

// NewLedger is empty.
func NewLedger() *Ledger {
	l := &Ledger{}
	l.mu.cells = map[cellKey]*count{}
	return l
}

// Acknowledged adds pageviews, each of which is added once.
func (l *Ledger) Acknowledged(views []View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range views {
		l.mu.views++
		hour := time.UnixMilli(v.TS).UTC().Truncate(time.Hour).Format(time.RFC3339)
		for _, url := range []string{v.Domain + v.Path, v.Domain} {
			k := cellKey{url, hour}
			c := l.mu.cells[k]
			if c == nil {
				c = &count{persons: map[string]bool{}}
				l.mu.cells[k] = c
			}
			c.pageviews++
			c.persons[v.Person] = true
		}
	}
}

// Views is how many pageviews were acknowledged.
func (l *Ledger) Views() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.views
}

// Comparison is how an export differs from a ledger. Lost and Doubled count
// pageviews by their pages; Wrong describes the first cells that differ, those
// of domains and of persons too.
type Comparison struct {
	Cells   int64    `json:"cells"` // of pageviews and uniques, compared
	Lost    int64    `json:"lost"`
	Doubled int64    `json:"doubled"` // counted though not acknowledged, or twice
	Differ  int64    `json:"differ"`  // cells
	Wrong   []string `json:"wrong,omitempty"`
}

// maxWrong is how many cells a Comparison describes.
const maxWrong = 20

// Compare holds an export against the ledger.
func (l *Ledger) Compare(lines []Line) Comparison {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c Comparison
	got := map[cellKey]count{}      // pageviews
	visitors := map[cellKey]int64{} // exact ones; -1 for an estimate
	for _, line := range lines {
		k := cellKey{line.URL, line.Hour}
		switch line.View {
		case "pageviews":
			got[k] = count{pageviews: line.Pageviews}
		case "uniques":
			visitors[k] = line.Visitors
			if !line.Exact {
				visitors[k] = -1
			}
		}
	}
	keys := map[cellKey]bool{}
	for k := range l.mu.cells {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	for k := range visitors {
		keys[k] = true
	}
	for _, k := range sorted(keys) {
		c.Cells += 2
		want := l.mu.cells[k]
		if want == nil {
			want = &count{}
		}
		c.pageviews(k, got[k].pageviews, want.pageviews)
		if v, persons := visitors[k], int64(len(want.persons)); v != persons {
			c.wrong("uniques %s %s: %d visitors, %d acknowledged (-1: estimated)", k.url, k.hour, v, persons)
		}
	}
	return c
}

func (c *Comparison) pageviews(k cellKey, got, want int64) {
	if got == want {
		return
	}
	c.wrong("pageviews %s %s: %d counted, %d acknowledged", k.url, k.hour, got, want)
	if !isPage(k.url) {
		return // its pages say it already
	}
	c.Lost += max(0, want-got)
	c.Doubled += max(0, got-want)
}

func (c *Comparison) wrong(format string, args ...any) {
	c.Differ++
	if len(c.Wrong) < maxWrong {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

func isPage(url string) bool { return slices.Contains([]byte(url), '/') }

func sorted(keys map[cellKey]bool) []cellKey {
	all := make([]cellKey, 0, len(keys))
	for k := range keys {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b cellKey) int { return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.hour, b.hour)) })
	return all
}
