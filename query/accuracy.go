package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"speedlayer/batch/views"
	"speedlayer/crdt"
	"speedlayer/event"
	"speedlayer/store"
	"speedlayer/view"
)

// Accuracy compares what the speed layer said of the hours that a batch run
// absorbed with what the run says, both at the run's vector: the generations up to
// it are complete there and change no more.
type Accuracy struct {
	Run     uint32         `json:"run"`
	Before  *uint32        `json:"before"`          // the run that the speed layer's answers built on; null: none
	Until   string         `json:"until,omitempty"` // what the log had then is compared
	Domains int            `json:"domains"`         // compared: all, but of a great many the first by hash
	Pages   int            `json:"pages"`           // a sample by hash
	Views   []ViewAccuracy `json:"views"`
}

// ViewAccuracy is one view's. A cell is one hour of one url.
type ViewAccuracy struct {
	View   string        `json:"view"`
	Cells  int           `json:"cells"`
	Exact  int           `json:"exact"`
	Truth  int64         `json:"truth"` // sum over the cells, as the run says
	Off    int64         `json:"off"`   // sum of the differences, each without its sign
	Causes []CauseOfLoss `json:"causes,omitempty"`
	// Worst are the cells that are off most.
	Worst []CellAccuracy `json:"worst,omitempty"`
}

// CauseOfLoss is why cells were off.
type CauseOfLoss struct {
	Cause string `json:"cause"`
	Cells int    `json:"cells"`
	Off   int64  `json:"off"`
}

// CellAccuracy is one cell that was off.
type CellAccuracy struct {
	URL   string `json:"url"`
	Hour  string `json:"hour"`
	Speed int64  `json:"speed"`
	Batch int64  `json:"batch"`
	Cause string `json:"cause"`
}

// Causes of a difference.
const (
	// CauseDedupe: a duplicate came when its pair was forgotten.
	CauseDedupe = "dedupe window"
	// CauseVisits: a late view, when its visit was forgotten.
	CauseVisits = "late visit"
	// CauseEdges: equiv edges join visits of persons, which the speed layer counts
	// apart; or an edge came later than the sketch.
	CauseEdges = "late edge"
	// CauseSketch: one of both is an estimate.
	CauseSketch = "sketch error"
	// CauseUnknown: it should not be.
	CauseUnknown = "not explained"
)

// Bounds of a comparison.
const (
	maxAccuracyDomains = 10_000
	maxAccuracyPages   = 1_000
	maxWorst           = 5
)

var errNotCommitted = errors.New("query: not everything below the run's vector is committed")

// Compare compares the answers by two pointers, of which the second names a run
// that the first does not.
func (e *Engine) Compare(ctx context.Context, before, after store.Pointer) (a *Accuracy, err error) {
	if after.Current == nil {
		return nil, errors.New("query: no run to compare with")
	}
	reader, err := e.cfg.Store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	speed, err := e.absorbed(ctx, reader, before, after.Current)
	if err != nil {
		return nil, err
	}
	batch := &reading{Reader: reader, pointer: after}
	if batch.views, err = e.openViews(ctx, after.Current); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, batch.views.Close()) }()
	if speed.views, err = e.openViews(ctx, before.Current); err != nil {
		return nil, err
	}
	if speed.views != nil {
		defer func() { err = errors.Join(err, speed.views.Close()) }()
	}
	c := &comparison{e: e, speed: speed, batch: batch, now: e.cfg.Edges.snapshot().fn(), a: &Accuracy{Run: after.Current.Number}}
	if before.Current != nil {
		c.a.Before = &before.Current.Number
	}
	if after.Current.Started > 0 {
		c.a.Until = event.FormatTime(after.Current.Started)
	}
	return c.a, c.all(ctx)
}

// absorbed reads the generations that a run has absorbed and the one before has
// not.
func (e *Engine) absorbed(ctx context.Context, reader store.Reader, before store.Pointer, run *store.Run) (*reading, error) {
	r := &reading{Reader: reader, pointer: before}
	for _, g := range before.Open() {
		if g < run.Number {
			r.generations = append(r.generations, g)
		}
	}
	slices.Sort(r.generations)
	slices.Reverse(r.generations)
	var err error
	if r.commits, err = reader.Commits(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(r.commits, func(a, b store.ShardCommit) int { return a.Shard.Compare(b.Shard) })
	for _, v := range run.Vector {
		if s := (store.Shard{Epoch: v.Epoch, Partition: v.Partition}); v.Offset > 0 && r.coveredOf(s) < v.Offset {
			return nil, fmt.Errorf("%w: %v is committed up to %d of %d", errNotCommitted, s, r.coveredOf(s), v.Offset)
		}
	}
	return r, nil
}

// comparison is one under way.
type comparison struct {
	e            *Engine
	speed, batch *reading
	now          func(uint64) uint64
	a            *Accuracy

	views  [3]viewSums
	spoilt map[hourOfURL]bool // whose pageviews were off
}

type hourOfURL struct {
	url  string
	hour int32
}

type viewSums struct {
	ViewAccuracy
	causes map[string]*CauseOfLoss
}

func (c *comparison) all(ctx context.Context) error {
	cells, err := c.sample(ctx)
	if err != nil {
		return err
	}
	for i, name := range []string{"pageviews", "uniques", "bounces"} {
		c.views[i] = viewSums{ViewAccuracy{View: name}, map[string]*CauseOfLoss{}}
	}
	c.spoilt = map[hourOfURL]bool{}
	for url, hours := range cells {
		if err := c.url(ctx, url, hours); err != nil {
			return err
		}
	}
	for i := range c.views {
		v := &c.views[i]
		for _, cause := range v.causes {
			v.Causes = append(v.Causes, *cause)
		}
		slices.SortFunc(v.Causes, func(a, b CauseOfLoss) int {
			return cmp.Or(cmp.Compare(b.Off, a.Off), strings.Compare(a.Cause, b.Cause))
		})
		c.a.Views = append(c.a.Views, v.ViewAccuracy)
	}
	return nil
}

// sample finds the urls to compare, with the hours in which the absorbed
// generations have cells: all domains, and pages whose hash is low.
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

// lowest keeps the urls of the lowest hashes.
type lowest struct {
	most  int
	bound uint64 // hashes at or above are left out; 0 is none
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

// halve leaves out the urls of the higher half of the hashes.
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

// url compares one url in its hours.
func (c *comparison) url(ctx context.Context, url string, hours *hourSet) error {
	list := hours.list()
	rg := store.Range{URL: url, From: list[0], To: list[len(list)-1] + 1}
	rg.View = view.PageviewsView
	if err := c.pageviews(ctx, rg, list); err != nil {
		return err
	}
	rg.View = view.UniquesView
	if err := c.uniques(ctx, rg, list); err != nil {
		return err
	}
	if strings.Contains(url, "/") {
		return nil
	}
	rg.View = view.BouncesView
	return c.bounces(ctx, rg, list)
}

// add notes one cell.
func (c *comparison) add(i int, url string, hour int32, speed, batch int64, cause string) {
	v := &c.views[i]
	v.Cells++
	v.Truth += batch
	if speed == batch {
		v.Exact++
		return
	}
	off := max(speed-batch, batch-speed)
	v.Off += off
	if v.causes[cause] == nil {
		v.causes[cause] = &CauseOfLoss{Cause: cause}
	}
	v.causes[cause].Cells++
	v.causes[cause].Off += off
	v.Worst = append(v.Worst, CellAccuracy{url, hourText(hour), speed, batch, cause})
	slices.SortFunc(v.Worst, func(a, b CellAccuracy) int {
		return cmp.Or(cmp.Compare(max(b.Speed-b.Batch, b.Batch-b.Speed), max(a.Speed-a.Batch, a.Batch-a.Speed)),
			strings.Compare(a.URL, b.URL), strings.Compare(a.Hour, b.Hour))
	})
	v.Worst = v.Worst[:min(len(v.Worst), maxWorst)]
}

func (c *comparison) pageviews(ctx context.Context, rg store.Range, hours []int32) error {
	speed, batch := counts{by: 1}, counts{by: 1}
	if err := c.both(ctx, rg, speed.add, speed.addBatch, batch.addBatch); err != nil {
		return err
	}
	for _, h := range hours {
		s, b := int64(*speed.parts.at(h)), int64(*batch.parts.at(h))
		cause := CauseUnknown
		if s > b {
			cause = CauseDedupe
		}
		if s != b {
			c.spoilt[hourOfURL{rg.URL, h}] = true
		}
		c.add(0, rg.URL, h, s, b, cause)
	}
	return nil
}

// both reads a range by the old pointer, up to the vector, and by the new one.
func (c *comparison) both(ctx context.Context, rg store.Range, cell func(*store.ScanCell) error, old, batch func(*batchCell) error) error {
	if err := c.speed.scan(ctx, rg, cell); err != nil {
		return err
	}
	if err := c.speed.batch(rg, pieces(1, rg.From, rg.To, nil), old); err != nil {
		return err
	}
	return c.batch.batch(rg, pieces(1, rg.From, rg.To, nil), batch)
}

func (c *comparison) uniques(ctx context.Context, rg store.Range, hours []int32) error {
	speed := &uniques{e: c.e, by: 1, who: c.speed.who(c.now)}
	batch := &uniques{e: c.e, by: 1, who: c.batch.who(c.now)}
	defer speed.dropParts()
	defer batch.dropParts()
	if err := c.both(ctx, rg, speed.add, speed.addBatch, batch.addBatch); err != nil {
		return err
	}
	for _, h := range hours {
		s, sExact, err := speed.hour(h)
		if err != nil {
			return err
		}
		b, bExact, err := batch.hour(h)
		if err != nil {
			return err
		}
		cause := CauseDedupe // a duplicate may name another hour or page
		if !sExact || !bExact {
			cause = CauseSketch
			if c.now != nil && s > b+uint64(crdt.RelativeError*float64(b)) {
				cause = CauseEdges
			}
		}
		c.add(1, rg.URL, h, int64(s), int64(b), cause)
	}
	return nil
}

// hour is the number of visitors in one hour.
func (u *uniques) hour(hour int32) (n uint64, exact bool, err error) {
	i, ok := slices.BinarySearch(u.parts.keys, hour)
	if !ok {
		return 0, true, nil
	}
	n, exact, _, err = u.e.estimate(&u.parts.values[i], &u.who)
	return n, exact, err
}

func (c *comparison) bounces(ctx context.Context, rg store.Range, hours []int32) error {
	speed := visitCounts{by: 1}
	batch := map[int32]views.Visits{}
	if err := c.both(ctx, rg, speed.add, speed.addBatch, func(cell *batchCell) error {
		v, err := views.DecodeVisits(cell.value)
		batch[cell.hour] = v
		return err
	}); err != nil {
		return err
	}
	for _, h := range hours {
		s, _ := clamp(*speed.parts.at(h))
		b := batch[h]
		cause := CauseVisits
		switch {
		case s.Visits == int64(b.Raw) && s.Bounces == int64(b.RawBounces):
			cause = CauseEdges
		case c.spoilt[hourOfURL{rg.URL, h - 1}] || c.spoilt[hourOfURL{rg.URL, h}] || c.spoilt[hourOfURL{rg.URL, h + 1}]:
			cause = CauseDedupe
		}
		// Visits and bounces are two numbers; what is off is off in their sum.
		truth := int64(b.Canonical + b.CanonicalBounces)
		off := max(s.Visits-int64(b.Canonical), int64(b.Canonical)-s.Visits) + max(s.Bounces-int64(b.CanonicalBounces), int64(b.CanonicalBounces)-s.Bounces)
		c.add(2, rg.URL, h, truth+off, truth, cause)
	}
	return nil
}
