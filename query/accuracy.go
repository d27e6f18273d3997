package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"speedlayer/event"
	"speedlayer/store"
	"speedlayer/view"
)

// Accuracy compares the answers of the speed layer for the hours that a batch run
// absorbed with the results of the run, both at the run's vector. The generations
// up to it are complete there and do not change any more.
type Accuracy struct {
	Run     uint32         `json:"run"`
	Before  *uint32        `json:"before"`          // the run that the speed layer's answers built on; null: none
	Until   string         `json:"until,omitempty"` // the comparison covers what the log had then
	Domains int            `json:"domains"`         // domains compared: all, or the first by hash if there are very many
	Pages   int            `json:"pages"`           // pages compared: a sample by hash
	Views   []ViewAccuracy `json:"views"`
}

// ViewAccuracy is the accuracy of one view. A cell is one hour of one url.
type ViewAccuracy struct {
	View   string        `json:"view"`
	Cells  int           `json:"cells"`
	Exact  int           `json:"exact"`
	Truth  int64         `json:"truth"` // sum over the cells, as computed by the run
	Off    int64         `json:"off"`   // sum of the absolute differences
	Causes []CauseOfLoss `json:"causes,omitempty"`
	// Worst are the cells with the largest differences.
	Worst []CellAccuracy `json:"worst,omitempty"`
}

// CauseOfLoss is a reason for differences.
type CauseOfLoss struct {
	Cause string `json:"cause"`
	Cells int    `json:"cells"`
	Off   int64  `json:"off"`
}

// CellAccuracy is one cell with a difference.
type CellAccuracy struct {
	URL   string `json:"url"`
	Hour  string `json:"hour"`
	Speed int64  `json:"speed"`
	Batch int64  `json:"batch"`
	Cause string `json:"cause"`
}

// Causes of a difference.
const (
	// CauseDedupe: a duplicate came after its pair was forgotten.
	CauseDedupe = "dedupe window"
	// CauseVisits: a late view came after its visit was forgotten.
	CauseVisits = "late visit"
	// CauseEdges: equiv edges join visits of persons that the speed layer counts
	// separately; or an edge came later than the sketch.
	CauseEdges = "late edge"
	// CauseSketch: one of the two is an estimate.
	CauseSketch = "sketch error"
	// CauseUnknown: this should not happen.
	CauseUnknown = "not explained"
)

// Bounds of a comparison.
const (
	maxAccuracyDomains = 10_000
	maxAccuracyPages   = 1_000
	maxWorst           = 5
)

var errNotCommitted = errors.New("query: not everything below the run's vector is committed")

// Compare compares the answers by two pointers. The second names a run that the
// first does not.
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

// absorbed returns the generations that a run has absorbed and the previous run has
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

// comparison is a comparison in progress.
type comparison struct {
	e            *Engine
	speed, batch *reading
	now          func(uint64) uint64
	a            *Accuracy

	views  [3]viewSums
	spoilt map[hourOfURL]bool // hours whose pageviews differed
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

// add records one cell.
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
