package worlds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"speedlayer/microbatch"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

func cellKey(k store.Key) oracle.CellKey {
	return oracle.CellKey{Generation: k.Generation, View: oracle.View(k.View), URL: k.URL, Hour: k.Hour}
}

func storeKey(k oracle.CellKey) store.Key {
	return store.Key{Generation: k.Generation, View: store.ViewID(k.View), URL: k.URL, Hour: k.Hour}
}

func keyText(k store.Key) string {
	return fmt.Sprintf("generation %d, %s of %s, hour %d", k.Generation,
		[]string{"?", "pageviews", "uniques", "bounces"}[min(k.View, 3)], k.URL, k.Hour)
}

func valueText(c *store.Cell) string {
	v, err := oracle.ParseValue(oracle.View(c.Key.View), c.Value)
	if err != nil {
		return fmt.Sprintf("%x (%v) @%d", c.Value, err, c.Version)
	}
	return fmt.Sprintf("%s @%d", v, c.Version)
}

// checkPut: a put is what the oracle has for that cell at that version, and no
// version is above the batch's end.
func (w *world) checkPut(sh store.Shard, c *store.Cell, end int64) {
	w.cov.Puts++
	if c.Key.View == store.ViewID(oracle.Uniques) && len(c.Value) > 0 && c.Value[0] == 2 {
		w.sketches++
	}
	o := w.parts[sh.Partition].oracle
	want, ok := o.At(cellKey(c.Key), c.Version)
	switch {
	case c.Version > end:
		w.fail("put of %v: %s: version above the batch's end at %d", sh, keyText(c.Key), end)
	case !ok:
		w.fail("put of %v: %s = %s: it never has that version; versions are %s", sh, keyText(c.Key), valueText(c), history(o, c.Key))
	case c.Delta > 0: // see checkMerged
		w.saw(DeltaPut)
	case !bytes.Equal(want.Bytes(oracle.View(c.Key.View)), c.Value):
		w.fail("put of %v: %s = %s, want %s", sh, keyText(c.Key), valueText(c), want)
	}
}

// checkMerged: what a read merges is what the oracle has for the version that it
// answers with, whoever's puts have arrived.
func (w *world) checkMerged(id cellID) {
	c, ok := w.store.cell(id)
	if !ok {
		w.fail("%v: deltas of %s without the whole", id.shard, keyText(id.key))
		return
	}
	want, ok := w.parts[id.shard.Partition].oracle.At(cellKey(id.key), c.version)
	if !ok || !bytes.Equal(want.Bytes(oracle.View(id.key.View)), c.value) {
		w.fail("%v: %s reads as %s, want %s", id.shard, keyText(id.key),
			valueText(&store.Cell{Key: id.key, Version: c.version, Value: c.value}), want)
	}
}

func history(o *oracle.Oracle, k store.Key) string {
	c, _ := o.Cell(cellKey(k))
	text := ""
	for _, v := range c.History {
		text += fmt.Sprintf(" %s @%d", v.Value, v.Version)
	}
	return text
}

// checkRecord: the commit's record is what the oracle counts up to there.
func (w *world) checkRecord(sh store.Shard, c store.Commit) {
	want, ok := w.parts[sh.Partition].counts[c.Offset]
	if !ok {
		w.fail("commit of %v at %d: no record ends there", sh, c.Offset)
		return
	}
	if !bytes.Equal(want, c.Record) {
		got, err := store.DecodeCommitRecord(c.Record)
		wanted, _ := store.DecodeCommitRecord(want)
		w.fail("commit of %v at %d says %+v (%v), want %+v", sh, c.Offset, got, err, wanted)
	}
}

// checkCommit: a commit row stands for its cells, and for all that left.
func (w *world) checkCommit(sh store.Shard, offset int64) {
	w.cov.Commits++
	p := w.parts[sh.Partition]
	for _, k := range p.oracle.Keys() {
		if w.store.dropped[k.Generation] {
			continue
		}
		want, ok := p.oracle.Below(k, offset)
		if !ok {
			continue
		}
		have, ok := w.store.cell(cellID{storeKey(k), sh})
		if !ok || have.version < want.Version {
			w.fail("commit of %v at %d, but the store's %s is at version %d, want %d", sh, offset, keyText(storeKey(k)), have.version, want.Version)
		}
	}
	for at, m := range p.reroutedAt {
		src := record.Source{Epoch: sh.Epoch, Partition: sh.Partition, Offset: at}
		if at < offset && w.parts[m.Target].accepted[src] != 1 {
			w.fail("commit of %v at %d, but record %d was taken %d times in its right partition", sh, offset, at, w.parts[m.Target].accepted[src])
		}
	}
	for at := range p.deadAt {
		if at < offset && !p.buried[at] {
			w.fail("commit of %v at %d, but record %d is in no dead-letter topic", sh, offset, at)
		}
	}
}

// checkPointer: numbers go upward and are never used twice; generations enter
// the list at its end, with their table there, and leave it at its beginning.
func (w *world) checkPointer(old, p store.Pointer) {
	list, before := p.Generations, old.Generations
	for len(before) > 0 && (len(list) == 0 || before[0] < list[0]) {
		before = before[1:]
	}
	switch {
	case p.Next < old.Next:
		w.fail("the next number goes back from %d to %d", old.Next, p.Next)
	case len(before) > len(list) || !slices.Equal(before, list[:len(before)]):
		w.fail("the list of generations %v becomes %v", old.Generations, list)
	}
	for i, g := range list {
		switch {
		case i > 0 && list[i-1] >= g || g >= p.Next:
			w.fail("the list of generations %v, with %d as the next number", list, p.Next)
		case w.store.dropped[g] || !w.store.created[g]:
			w.fail("generation %d is in the list without a table", g)
		}
	}
}

// checkState: operator state is a function of the log.
func (w *world) checkState(p *partition, proc *microbatch.Processor) {
	w.state = proc.AppendState(w.state[:0])
	if had, ok := p.states[proc.Next()]; !ok {
		p.states[proc.Next()] = bytes.Clone(w.state)
	} else if !bytes.Equal(had, w.state) {
		w.fail("operator state of %v at %d is not what it was in another processor", p.shard, proc.Next())
	}
}

// checkOutgoing: what leaves is what the oracle expects to leave.
func (w *world) checkOutgoing(p *partition, o *microbatch.Outgoing) {
	at := o.Source.Offset
	if o.Source.Epoch != p.shard.Epoch || o.Source.Partition != p.shard.Partition {
		w.fail("record %d of %v leaves as one of %v", at, p.shard, o.Source)
	}
	if o.Dead {
		if !p.deadAt[at] {
			w.fail("record %d of %v goes to the dead-letter topic (%s)", at, p.shard, o.Reason)
		}
		return
	}
	want, ok := p.reroutedAt[at]
	if !ok || want.Target != o.Target {
		w.fail("record %d of %v goes to partition %d", at, p.shard, o.Target)
		return
	}
	var a, b any
	if json.Unmarshal(o.Value, &a) != nil || json.Unmarshal(want.Value, &b) != nil || !reflect.DeepEqual(a, b) {
		w.fail("record %d of %v is rerouted as %s, want %s", at, p.shard, o.Value, want.Value)
	}
}

// checkEnd: everything in the log is in the store, and nothing else, whatever
// arrives late.
func (w *world) checkEnd() {
	for _, p := range w.parts {
		if c := w.store.commits[p.shard]; len(p.records) > 0 && c.Offset != p.end() {
			w.fail("commit of %v is at %d at the end, the log ends at %d", p.shard, c.Offset, p.end())
		}
		for _, k := range p.oracle.Keys() {
			if w.store.dropped[k.Generation] {
				continue
			}
			want, _ := p.oracle.Cell(k)
			have, ok := w.store.cell(cellID{storeKey(k), p.shard})
			if !ok || have.version != want.Version.Version || !bytes.Equal(have.value, want.Value.Bytes(k.View)) {
				c := store.Cell{Key: storeKey(k), Version: have.version, Value: have.value}
				w.fail("at the end %s of %v is %s, want %s @%d", keyText(c.Key), p.shard, valueText(&c), want.Value, want.Version.Version)
			}
			w.sawVisitMove(k, want)
		}
	}
	for at, have := range w.store.cells {
		id := at.id
		if _, ok := w.parts[id.shard.Partition].oracle.Below(cellKey(id.key), 1<<62); !ok {
			w.fail("the store has %s of %v at version %d, which no event made", keyText(id.key), id.shard, have.version)
		}
	}
}

func (w *world) sawVisitMove(k oracle.CellKey, c oracle.Cell) {
	if k.View != oracle.Bounces {
		return
	}
	for i := 1; i < len(c.History); i++ {
		w.sawIf(VisitChangedHour, c.History[i].Value.Visits < c.History[i-1].Value.Visits)
	}
}
