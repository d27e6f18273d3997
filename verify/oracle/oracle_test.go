package oracle

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"speedlayer/store"
)

const (
	minute = int64(60_000)
	hour   = int64(hourMS)
	day0   = 20_000 * 24 * hour // some midnight
)

// one is the oracle of a log of one partition, with small memories.
func one(change func(*Options)) *Oracle {
	opt := Options{Partitions: 1, Settings: DefaultSettings(), Histories: true}
	if change != nil {
		change(&opt)
	}
	return New(opt)
}

// view makes a record at log time and event time at.
func view(offset int64, nonce, person, url string, at int64) Record {
	return Record{Offset: offset, Timestamp: at, Key: []byte(person),
		Value: fmt.Appendf(nil, `{"nonce":%q,"person":%q,"url":"http://%s","ts":%d}`, nonce, person, url, at)}
}

func markerRecord(offset, at int64, value string) Record {
	return Record{Offset: offset, Timestamp: at, Value: []byte(value), Headers: []Header{{Name: "speedlayer-marker"}}}
}

func bouncesAt(t *testing.T, o *Oracle, generation uint32, h int64) (version, visits, bounces int64) {
	t.Helper()
	c, _ := o.Cell(CellKey{generation, Bounces, "foo.com", hourOf(h)})
	return c.Version.Version, c.Value.Visits, c.Value.Bounces
}

func TestVisitsOfLateEvents(t *testing.T) {
	type cell struct{ version, visits, bounces int64 }
	for _, c := range []struct {
		name  string
		views []int64 // minutes after day0+10h, in the order of the log
		cells map[int64]cell
	}{
		{"one view", []int64{0}, map[int64]cell{10: {1, 1, 1}}},
		{"exactly 30 minutes", []int64{0, 30}, map[int64]cell{10: {2, 1, 0}}},
		{"31 minutes", []int64{0, 31}, map[int64]cell{10: {2, 2, 2}}},
		{"third view changes nothing", []int64{0, 10, 20}, map[int64]cell{10: {2, 1, 0}}},
		{"start moves to the hour before", []int64{5, -5}, map[int64]cell{10: {2, 0, 0}, 9: {2, 1, 0}}},
		{"start moves within the hour", []int64{20, 10}, map[int64]cell{10: {2, 1, 0}}},
		{"two bounces joined", []int64{0, 60, 30}, map[int64]cell{10: {3, 1, 0}, 11: {3, 0, 0}}},
		{"two long visits joined", []int64{0, 1, 59, 60, 30}, map[int64]cell{10: {5, 1, 0}, 11: {0, 0, 0}}},
		{"joined over the hour", []int64{-20, 40, 20, 10}, map[int64]cell{9: {4, 1, 0}, 10: {4, 0, 0}}},
	} {
		o := one(nil)
		for i, m := range c.views {
			r := view(int64(i), fmt.Sprint(i), "p", "foo.com/", day0+10*hour+m*minute)
			r.Timestamp = day0 + 24*hour
			o.Add(r)
		}
		for h, want := range c.cells {
			v, visits, bounces := bouncesAt(t, o, 0, day0+h*hour)
			if got := (cell{v, visits, bounces}); got != want {
				t.Errorf("%s: hour %d is %v, want %v", c.name, h, got, want)
			}
		}
	}
}

// TestVisitsInAnyOrder checks against the definition: sort all views, cut where
// more than 30 minutes lie between two.
func TestVisitsInAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		var views []int64
		for range 1 + rng.IntN(25) {
			views = append(views, day0+rng.Int64N(12*60)*minute)
		}
		o := one(nil)
		for i, at := range views {
			r := view(int64(i), fmt.Sprint(i), "p", "foo.com/", at)
			r.Timestamp = day0 + 12*hour
			o.Add(r)
		}
		want := map[int32]delta{}
		seen := map[int64]int{}
		for _, at := range views {
			seen[at]++
		}
		start, count, last := int64(0), 0, int64(-1)
		end := func() {
			if count > 0 {
				d := want[hourOf(start)]
				d.visits++
				if count == 1 {
					d.bounces++
				}
				want[hourOf(start)] = d
			}
		}
		for at := day0; at < day0+12*hour; at += minute {
			if seen[at] == 0 {
				continue
			}
			if count == 0 || at-last > 30*minute {
				end()
				start, count = at, 0
			}
			count += seen[at]
			last = at
		}
		end()
		for h := hourOf(day0); h < hourOf(day0+12*hour); h++ {
			c, _ := o.Cell(CellKey{0, Bounces, "foo.com", h})
			if got := (delta{c.Value.Visits, c.Value.Bounces}); got != want[h] {
				t.Fatalf("views at %v: hour %d is %v, want %v", views, h, got, want[h])
			}
		}
	}
}

func TestMemories(t *testing.T) {
	small := func(o *Options) {
		o.Settings.DedupeWindow, o.Settings.DedupeEntries = hour, 2
		o.Settings.VisitsWindow, o.Settings.VisitsEntries = hour, 2
	}
	t.Run("dedupe window", func(t *testing.T) {
		o := one(small)
		o.Add(view(0, "n", "p", "foo.com/", day0))
		o.Add(view(1, "n", "p", "foo.com/other", day0+hour)) // exactly a window: still remembered, not renewed
		o.Add(view(2, "n", "p", "foo.com/", day0+hour+1))
		if c := o.Counts(); c.Duplicates != 1 || c.Events != 2 || c.DedupeOldest != day0+hour+1 || c.DedupeEntries != 1 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("dedupe bound", func(t *testing.T) {
		o := one(small)
		for i, n := range []string{"a", "b", "a", "c", "a", "b"} { // c pushes a out, a pushes b out
			o.Add(view(int64(i), n, "p", "foo.com/", day0+int64(i)))
		}
		if c := o.Counts(); c.Duplicates != 1 || c.Events != 5 || c.DedupeEntries != 2 || c.DedupeOldest != day0+4 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("log time never goes back", func(t *testing.T) {
		o := one(small)
		o.Add(view(0, "n", "p", "foo.com/", day0+3*hour))
		o.Add(view(1, "m", "p", "foo.com/", day0))
		o.Add(view(2, "n", "p", "foo.com/", day0+4*hour))
		if c := o.Counts(); c.Duplicates != 1 || c.LogTime != day0+4*hour {
			t.Errorf("%+v", c)
		}
	})
	t.Run("another person's nonce", func(t *testing.T) {
		o := one(nil)
		o.Add(view(0, "n", "p", "foo.com/", day0))
		o.Add(view(1, "n", "q", "foo.com/", day0))
		if c := o.Counts(); c.Events != 2 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a bad record moves log time and uses no nonce up", func(t *testing.T) {
		o := one(small)
		o.Add(view(0, "n", "p", "foo.com/", day0))
		bad := view(1, "m", "p", "foo.com/", day0+25*hour)
		bad.Timestamp = day0
		o.Add(bad) // ahead
		bad.Offset, bad.Value, bad.Timestamp = 2, []byte("{"), day0+hour+1
		o.Add(bad)
		o.Add(view(3, "m", "p", "foo.com/", day0))
		o.Add(view(4, "n", "p", "foo.com/", day0))
		if c := o.Counts(); c.Rejected != 2 || c.Events != 3 || len(o.DeadLetters()) != 2 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("exactly 24 hours ahead", func(t *testing.T) {
		o := one(nil)
		r := view(0, "n", "p", "foo.com/", day0+24*hour)
		r.Timestamp = day0
		o.Add(r)
		if c := o.Counts(); c.Events != 1 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("visit bound", func(t *testing.T) {
		o := one(small)
		for i, p := range []string{"p", "q", "p", "r", "q"} { // r pushes q out, whose second view starts over
			o.Add(view(int64(i), fmt.Sprint(i), p, "foo.com/", day0+int64(i)))
		}
		if v, visits, bounces := bouncesAt(t, o, 0, day0); v != 5 || visits != 4 || bounces != 3 {
			t.Errorf("version %d, %d visits, %d bounces", v, visits, bounces)
		}
		if c := o.Counts(); c.Operator != visits(2, day0+3) {
			t.Errorf("%+v", c)
		}
	})
	t.Run("visit window", func(t *testing.T) {
		o := one(small)
		for i, at := range []int64{0, hour, 2*hour + 1} { // log time; all three are the same minute's views
			r := view(int64(i), fmt.Sprint(i), "p", "foo.com/", day0)
			r.Timestamp = day0 + at
			o.Add(r)
		}
		if _, visits, bounces := bouncesAt(t, o, 0, day0); visits != 2 || bounces != 1 {
			t.Errorf("%d visits, %d bounces", visits, bounces)
		}
	})
}

// visits are what the views count, as it stands in a commit record.
func visits(entries, oldest int64) string {
	return string(binary.AppendVarint(binary.AppendVarint(nil, entries), oldest))
}

func TestGenerations(t *testing.T) {
	o := one(func(o *Options) { o.Generation = 3 })
	o.Add(view(0, "a", "p", "foo.com/", day0))
	o.Add(markerRecord(1, day0, `{"generation":3,"settings":{"dedupe_entries":1}}`))
	o.Add(markerRecord(2, day0, `{"generation":2}`))
	o.Add(markerRecord(3, day0, `{"generation":5,"run":true}`))
	o.Add(view(4, "b", "p", "foo.com/", day0))
	o.Add(view(5, "a", "p", "foo.com/", day0))
	s := DefaultSettings()
	s.DedupeEntries = 1
	o.Add(markerRecord(6, day0, `{"generation":6,"settings":{"dedupe_window_ms":3600000,"dedupe_entries":1,"visits_window_ms":0,"visits_entries":1,"exact_visitors":2048,"rules":1}}`))
	o.Add(view(7, "c", "p", "foo.com/", day0+1))
	o.Add(view(8, "a", "p", "foo.com/", day0+1)) // forgotten by now, and so is the visit's first part
	want := store.CommitRecord{LogTime: day0 + 1, Generation: 6, GenerationStart: 7, Records: 9, Events: 4,
		Duplicates: 1, Rejected: 1, Markers: 2, MarkersIgnored: 1, DedupeEntries: 1, DedupeOldest: day0 + 1,
		Operator: visits(1, day0+1)}
	if got := o.Counts(); got != want {
		t.Errorf("\n%+v, want\n%+v", got, want)
	}
	for g, want := range map[uint32][3]int64{3: {1, 1, 1}, 5: {5, 0, -1}, 6: {9, 1, 0}} {
		if v, visits, bounces := bouncesAt(t, o, g, day0); [3]int64{v, visits, bounces} != want {
			t.Errorf("generation %d: version %d, %d visits, %d bounces, want %v", g, v, visits, bounces, want)
		}
	}
	visits, bounces := NewAnswers(5, o).Bounces("foo.com", hourOf(day0), hourOf(day0)+1)
	if visits != 1 || bounces != -1 {
		t.Errorf("generations from 5 on: %d visits, %d bounces", visits, bounces)
	}
}

func TestReroutedRecords(t *testing.T) {
	person := func(partition int32) string {
		for i := 0; ; i++ {
			if p := fmt.Sprint("p", i); partitionOf(p, 2) == partition {
				return p
			}
		}
	}
	here, there := person(1), person(0)
	o := one(func(o *Options) { o.Epoch, o.Partition, o.Partitions, o.Topic = 4, 1, 2, "t" })
	stray := view(7, "", there, "foo.com/", day0)
	stray.Value = []byte(strings.Replace(string(stray.Value), `"nonce":""`, `"nonce":null`, 1))
	o.Add(stray)
	rerouted := o.Rerouted()
	if len(rerouted) != 1 || rerouted[0].Target != 0 || rerouted[0].Source != (Source{4, 1, 7}) || string(rerouted[0].Key) != there {
		t.Fatalf("%+v", rerouted)
	}
	if pv, err := decode(rerouted[0].Value, 0, Page); err != nil || pv.Nonce != "t/4/1/7" || pv.Person != there || pv.TS != day0 {
		t.Errorf("%+v, %v", pv, err)
	}
	reroutedIn := func(offset int64, from, nonce, person string) Record {
		r := view(offset, nonce, person, "foo.com/", day0)
		r.Headers = []Header{{"speedlayer-moved-from", []byte(from)}}
		return r
	}
	o.Add(reroutedIn(8, "4/0/10", "a", here))
	o.Add(reroutedIn(9, "4/0/10", "b", here))  // again
	o.Add(reroutedIn(10, "4/0/9", "c", here))  // again
	o.Add(reroutedIn(11, "3/0/10", "d", here)) // of another epoch: new
	o.Add(reroutedIn(12, "4/0/11", "a", here)) // a duplicate
	o.Add(reroutedIn(13, "4/0/12", "e", there))
	o.Add(reroutedIn(14, "x", "f", here))
	o.Add(reroutedIn(15, "3/0/11", "g", there)) // rerouted here when there were other partitions: rerouted again
	if m := o.Rerouted(); len(m) != 2 || m[1].Source != (Source{4, 1, 15}) || m[1].Pageview.Nonce != "g" {
		t.Errorf("rerouted: %+v", m)
	}
	c := o.Counts()
	if c.ReroutedOut != 2 || c.ReroutedIn != 7 || c.ReroutedAgain != 2 || c.Events != 2 || c.Duplicates != 1 || c.Rejected != 2 {
		t.Errorf("%+v", c)
	}
}

func TestVersionsOfVisitors(t *testing.T) {
	o := one(nil)
	for i, p := range []string{"p", "q", "p"} {
		o.Add(view(int64(i), fmt.Sprint(i), p, "foo.com/a?b#c", day0))
	}
	for _, url := range []string{"foo.com", "foo.com/a"} {
		c, ok := o.Cell(CellKey{0, Uniques, url, hourOf(day0)})
		if !ok || c.Version.Version != 2 || c.First != 1 || len(c.Value.Hashes) != 2 {
			t.Errorf("%s: visitors %+v", url, c)
		}
		if c, _ := o.Cell(CellKey{0, Pageviews, url, hourOf(day0)}); c.Version.Version != 3 || c.Value.Pageviews != 3 {
			t.Errorf("%s: pageviews %+v", url, c)
		}
	}
}

// TestFreeze checks that a frozen cell stays as its history has it at that
// version, and reports what it missed.
func TestFreeze(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	var log []Record
	at := day0
	for i := range int64(200) {
		at += rng.Int64N(20 * minute)
		url := fmt.Sprintf("foo.com/%d", rng.IntN(3))
		log = append(log, view(i, fmt.Sprint(rng.IntN(180)), fmt.Sprint("p", rng.IntN(4)), url, at-rng.Int64N(2*hour)))
		log[i].Timestamp = at
	}
	full := one(nil)
	for _, r := range log {
		full.Add(r)
	}
	frozen := New(Options{Partitions: 1, Settings: DefaultSettings()})
	type pick struct {
		want Version
		next int64
	}
	picks := map[CellKey]pick{}
	for _, k := range full.Keys() {
		c, _ := full.Cell(k)
		n := rng.IntN(len(c.History))
		p := pick{want: c.History[n]}
		if n+1 < len(c.History) {
			p.next = c.History[n+1].Version
		}
		picks[k] = p
		frozen.Freeze(k, p.want.Version)
	}
	for _, r := range log {
		frozen.Add(r)
	}
	for k, p := range picks {
		c, _ := frozen.Cell(k)
		if !reflect.DeepEqual(c.Version, p.want) || c.Missed != p.next {
			t.Errorf("%v: %+v, want %+v", k, c, p)
		}
		if v, ok := full.At(k, p.want.Version); !ok || !v.Equal(p.want.Value) {
			t.Errorf("%v: At gives %v, %v", k, v, ok)
		}
	}
	if len(picks) < 50 {
		t.Errorf("only %d cells", len(picks))
	}
	if got, want := frozen.Counts(), full.Counts(); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}
