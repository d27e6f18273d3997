package worlds

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

const hourMS = 60 * minute

// question is one query that can be checked.
type question struct {
	view     oracle.View
	url      string
	from, to int32
}

// answer is what matters of an answer.
type answer struct {
	visits, bounces int64 // or pageviews, or visitors, in the first
	covered         query.Covered
	linked          map[[2]string]bool // the edges that the query knew
}

// startQuery asks the real engine something while the world goes on.
func (w *world) startQuery() {
	q := question{view: oracle.View(1 + w.below(3)), url: []string{"a.com", "a.com/x", "b.com", "a.com/"}[w.below(4)]}
	if q.view == oracle.Bounces && q.url[len(q.url)-1] != 'm' {
		q.url = "a.com"
	}
	hour := int32(w.now / hourMS)
	q.from, q.to = hour-10, hour+30
	if w.below(3) > 0 {
		q.from = hour - int32(w.below(4))
		q.to = q.from + 1
	}
	w.startQuestion(q)
}

func (w *world) startQuestion(q question) *task {
	t := w.spawn(fmt.Sprintf("query of view %d of %s, hours %d to %d", q.view, q.url, q.from, q.to), func(*task) {
		before := map[store.Shard]int64{}
		for sh, c := range w.store.commits {
			before[sh] = c.Offset
		}
		counter := w.store.pointer.Counter
		a, err := w.ask(q)
		if err != nil {
			w.trace("not answered: %v", err)
			return
		}
		w.sawIf(QueryBeganAnew, w.store.pointer.Counter != counter)
		w.checkAnswer(q, a, before)
	})
	t.query = true
	return t
}

func (w *world) ask(q question) (a answer, err error) {
	ctx := context.Background()
	e := query.New(query.Config{Store: w.store, Edges: w.edges, Now: func() time.Time { return time.UnixMilli(w.now) }, Batch: w.layer.Open})
	linked := maps.Clone(w.linked)
	defer func() { a.linked = linked }()
	from, to := event.FormatTime(int64(q.from)*hourMS), event.FormatTime(int64(q.to)*hourMS)
	switch q.view {
	case oracle.Pageviews:
		var p *query.PageviewsAnswer
		if p, err = e.Pageviews(ctx, query.URLQuery{URL: q.url, From: from, To: to}); err == nil {
			a = answer{visits: int64(p.Pageviews), covered: p.Covered}
		}
	case oracle.Uniques:
		var u *query.UniquesAnswer
		if u, err = e.Uniques(ctx, query.URLQuery{URL: q.url, From: from, To: to}); err == nil {
			a = answer{visits: int64(u.Visitors), covered: u.Covered}
		}
	default:
		var b *query.BounceRateAnswer
		if b, err = e.BounceRate(ctx, query.DomainQuery{Domain: q.url, From: from, To: to}); err == nil {
			a = answer{visits: b.Visits, bounces: b.Bounces, covered: b.Covered}
		}
	}
	return a, err
}

// checkAnswer holds an answer to law 9. Covered is not behind what was committed
// when the query began. A settled answer is that of the events below covered. One
// that is not is, of a single cell, that of the events below some offset of each
// partition at or above covered; of many cells it lies between covered and the end.
func (w *world) checkAnswer(q question, a answer, before map[store.Shard]int64) {
	w.cov.Queries++
	w.trace("answers %d %d, covered %v, settled %v", a.visits, a.bounces, a.covered.Position, a.covered.Settled)
	at := make([]int64, len(w.parts))
	var events int64
	for _, p := range a.covered.Position {
		at[p.Partition] = p.Offset
		rec, err := store.DecodeCommitRecord(w.parts[p.Partition].counts[p.Offset])
		if err != nil {
			w.fail("answer covers %v up to %d, where no record ends", w.parts[p.Partition].shard, p.Offset)
		}
		events += rec.Events
	}
	for sh, offset := range before {
		if at[sh.Partition] < offset {
			w.fail("answer covers %v up to %d, the commit was at %d before it", sh, at[sh.Partition], offset)
		}
	}
	if events != a.covered.Events && !w.absorbedMore(before) {
		w.fail("answer covers %d events, %v has %d", a.covered.Events, at, events)
	}
	w.sawIf(QueryOfTwoGenerations, len(w.store.pointer.Open()) > 1)
	w.sawIf(QueryOfThreeGenerations, len(w.store.pointer.Open()) > 2)
	if w.sketches > 0 && q.view == oracle.Uniques {
		return // an estimate
	}
	if a.covered.Settled {
		w.saw(QuerySettled)
		if want := w.value(q, a.linked, at); want != a.numbers() {
			w.fail("the settled answer about %+v is %d %d, below %v it is %v", q, a.visits, a.bounces, at, want)
		}
		return
	}
	w.saw(QueryUnsettled)
	if q.to == q.from+1 {
		w.checkPrefix(q, a, at)
		return
	}
	low, high := w.value(q, a.linked, at), w.value(q, a.linked, w.ends())
	if q.view != oracle.Bounces && (a.visits < low[0] || a.visits > high[0]) {
		w.fail("the answer about %+v is %d, below %v it is %d and at the end %d", q, a.visits, at, low[0], high[0])
	}
}

func (a answer) numbers() [2]int64 { return [2]int64{a.visits, a.bounces} }

// checkPrefix looks for offsets at which a single cell was as the answer says.
func (w *world) checkPrefix(q question, a answer, covered []int64) {
	var found []string
	at := slices.Clone(covered)
	var search func(part int) bool
	search = func(part int) bool {
		if part == len(at) {
			v := w.value(q, a.linked, at)
			found = append(found, fmt.Sprint(at, v))
			return v == a.numbers()
		}
		for o := covered[part]; o <= w.parts[part].end(); o++ {
			if at[part] = o; search(part + 1) {
				return true
			}
		}
		at[part] = covered[part]
		return false
	}
	if !search(0) {
		w.fail("the answer about %+v is %v, which is that of no prefix of the log: %v", q, a.numbers(), found)
	}
}

func (w *world) ends() []int64 {
	at := make([]int64, len(w.parts))
	for i, p := range w.parts {
		at[i] = p.end()
	}
	return at
}

// absorbedMore reports whether a run's vector is above what was committed: then the
// answer covers more than the commit rows count.
func (w *world) absorbedMore(commits map[store.Shard]int64) bool {
	if w.store.pointer.Current == nil {
		return false
	}
	for _, v := range w.store.pointer.Current.Vector {
		if commits[w.parts[v.Partition].shard] < v.Offset {
			w.saw(RunAheadOfCommits)
			return true
		}
	}
	return false
}

// value is the answer from the batch views and, in the open generations, the
// events below an offset of each partition.
func (w *world) value(q question, linked map[[2]string]bool, at []int64) [2]int64 {
	a := oracle.NewAnswers(0)
	found := false
	for i, p := range w.parts {
		for _, g := range w.store.pointer.Open() {
			for hour := q.from; hour < q.to; hour++ {
				k := oracle.CellKey{Generation: g, View: q.view, URL: q.url, Hour: hour}
				if v, ok := p.oracle.Below(k, at[i]); ok {
					found = true
					a.MergeCell(k, v.Value)
				}
			}
		}
	}
	if base := w.layer.Oracle(w.store.pointer.Current); base != nil {
		a.Over(base)
		w.saw(QueryOverBatch)
		w.sawIf(QueryOfBatchAndSpeed, found && base.Has(q.view, q.url, q.from, q.to))
	} else if w.store.pointer.Current != nil {
		w.fail("the views of run %d are gone", w.store.pointer.Current.Number)
	}
	for e := range linked {
		a.Link(e[0], e[1])
	}
	switch q.view {
	case oracle.Pageviews:
		return [2]int64{int64(a.Pageviews(q.url, q.from, q.to)), 0}
	case oracle.Uniques:
		return [2]int64{int64(a.Uniques(q.url, q.from, q.to).Count), 0}
	}
	// What is not remembered may leave less than nothing.
	v, b := a.Bounces(q.url, q.from, q.to)
	visits := max(0, v)
	bounces := min(max(0, b), visits)
	w.sawIf(AnswerClamped, visits != v || bounces != b)
	return [2]int64{visits, bounces}
}

// checkLastQuery: when everything is committed, answers are settled and right.
func (w *world) checkLastQuery() {
	hour := int32(w.now / hourMS)
	for v := oracle.Pageviews; v <= oracle.Bounces; v++ {
		q := question{v, "a.com", hour - 40, hour + 40}
		a, err := w.ask(q)
		if err != nil {
			w.fail("the last query about %+v: %v", q, err)
			return
		}
		if !a.covered.Settled {
			w.fail("the last query about %+v is not settled", q)
		}
		w.checkAnswer(q, a, nil)
	}
}
