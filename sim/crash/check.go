package crash

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"speedlayer/microbatch"
	"speedlayer/sim/check"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// witness notes what the store has acknowledged.
type witness struct {
	store.Store
	l *life
}

func (w *witness) note(do func(k *known)) {
	w.l.log.mu.Lock()
	defer w.l.log.mu.Unlock()
	do(&w.l.known)
}

func (w *witness) Apply(ctx context.Context, b *store.Batch) error {
	lost := w.l.faults.lost("answer of the store")
	if lost && w.l.rng.IntN(2) == 0 {
		return errInjected // and it was not done either
	}
	err := w.Store.Apply(ctx, b)
	if lost {
		return errors.Join(errInjected, err)
	}
	if err == nil {
		w.l.r.Commits++
		w.note(func(k *known) { k.commits[b.Shard] = max(k.commits[b.Shard], b.Commit.Offset) })
	}
	return err
}

func (w *witness) NameSnapshot(ctx context.Context, s store.Shard, n store.SnapshotName) error {
	err := w.Store.NameSnapshot(ctx, s, n)
	if err == nil {
		w.note(func(k *known) { k.names[s] = max(k.names[s], n.Offset) })
	}
	return err
}

func (w *witness) AppendEpoch(ctx context.Context, e store.Epoch) error {
	err := w.Store.AppendEpoch(ctx, e)
	if err == nil {
		w.note(func(k *known) { k.epochs = int(e.Number) + 1 })
	}
	return err
}

func (w *witness) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	if w.l.faults.lost("answer of the pointer") {
		if w.l.rng.IntN(2) == 0 {
			return errInjected
		}
		return errors.Join(errInjected, w.Store.SwapPointer(ctx, expect, p))
	}
	err := w.Store.SwapPointer(ctx, expect, p)
	if err == nil {
		w.note(func(k *known) { k.counter = p.Counter })
	}
	return err
}

// openOracle makes an oracle of each shard of the epochs that there are.
func (l *life) openOracle() error {
	epochs, err := l.store.Epochs(context.Background())
	if err != nil {
		return err
	}
	l.log.mu.Lock() // a cut reads the list, in one of Pebble's goroutines
	defer l.log.mu.Unlock()
	if l.oracle == nil {
		l.oracle = map[store.Shard]*oracle.Oracle{}
	}
	return oracle.AddEpochs(l.oracle, epochs)
}

// checkAll compares the store with the log as far as the commits say, and with
// what was acknowledged.
func (l *life) checkAll() error {
	if l.stopped.Load() {
		return nil
	}
	l.did("check")
	ctx := context.Background()
	l.log.mu.Lock()
	told := l.known.copy()
	l.log.mu.Unlock()
	if err := l.checkTold(ctx, told); err != nil {
		return err
	}
	r, err := l.store.Read(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	commits, err := r.Commits(ctx)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if err := l.checkCommit(c); err != nil {
			return err
		}
	}
	if err := l.checkCells(ctx, r); err != nil {
		return err
	}
	return l.checkAnswers(ctx)
}

// checkTold: what was acknowledged is there, or something newer.
func (l *life) checkTold(ctx context.Context, told known) error {
	for shard, offset := range told.commits {
		c, found, err := l.store.Commit(ctx, shard)
		if err != nil {
			return err
		}
		if !found || c.Offset < offset {
			return fmt.Errorf("the commit of %v went back from %d to %d", shard, offset, c.Offset)
		}
	}
	for part := range l.log.parts {
		if err := l.checkSnapshot(ctx, l.shard(part), told); err != nil {
			return err
		}
	}
	p, err := l.store.Pointer(ctx)
	if err != nil {
		return err
	}
	if p.Counter < told.counter {
		return fmt.Errorf("the pointer's counter went back from %d to %d", told.counter, p.Counter)
	}
	epochs, err := l.store.Epochs(ctx)
	if err == nil && len(epochs) < told.epochs {
		return fmt.Errorf("%d epochs are left of %d", len(epochs), told.epochs)
	}
	return err
}

// checkSnapshot: what is named is complete, at or below the commit, and the
// same bytes as every other snapshot there.
func (l *life) checkSnapshot(ctx context.Context, shard store.Shard, told known) error {
	n, found, err := l.store.Snapshot(ctx, shard)
	if err != nil {
		return err
	}
	if at, was := told.names[shard]; was && (!found || n.Offset < at) {
		return fmt.Errorf("the snapshot of %v went back from %d to %d", shard, at, n.Offset)
	}
	if !found {
		return nil
	}
	c, _, err := l.store.Commit(ctx, shard)
	if err != nil {
		return err
	}
	if c.Offset < n.Offset {
		return fmt.Errorf("the snapshot of %v at %d is above its commit at %d", shard, n.Offset, c.Offset)
	}
	var b []byte
	for i := range n.Chunks {
		if b, err = l.store.Chunk(ctx, shard, n.Offset, i, b); err != nil {
			return fmt.Errorf("the snapshot of %v is named and not whole: %w", shard, err)
		}
	}
	return l.noteState(shard, n.Offset, b)
}

// checkState compares a processor that has just loaded with what was saved.
func (l *life) checkState(shard store.Shard, p *microbatch.Processor) error {
	if p.Next() == l.epoch.Starts[shard.Partition] {
		return nil
	}
	return l.noteState(shard, p.Next(), p.AppendState(nil))
}

// noteState: operator state at an offset is a function of the log.
func (l *life) noteState(shard store.Shard, offset int64, b []byte) error {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	id, hash := stateID{shard, offset}, maphash.Bytes(hashSeed, b)
	if was, ok := l.known.states[id]; ok && was != hash {
		return fmt.Errorf("two operator states of %v at %d", shard, offset)
	}
	l.known.states[id] = hash
	return nil
}

// checkCommit runs the oracle up to the commit and compares the rows; what the
// log below it sent away must have arrived.
func (l *life) checkCommit(c store.ShardCommit) error {
	part, o := c.Shard.Partition, l.oracle[c.Shard]
	if o == nil {
		return fmt.Errorf("a commit of %v without an epoch", c.Shard)
	}
	if c.Commit.Offset < o.Next() {
		return fmt.Errorf("the commit of %v went back from %d to %d", c.Shard, o.Next(), c.Commit.Offset)
	}
	if c.Shard.Epoch < l.log.incarnations {
		if c.Commit.Offset > o.Next() {
			return fmt.Errorf("the commit of %v moved from %d to %d after the end of its epoch", c.Shard, o.Next(), c.Commit.Offset)
		}
	} else if next := l.log.parts[part].next; c.Commit.Offset > next {
		return fmt.Errorf("the commit of %v is at %d, the log ends at %d", c.Shard, c.Commit.Offset, next)
	}
	for _, r := range l.log.from(part, o.Next()) {
		if r.Offset >= c.Commit.Offset {
			break
		}
		o.Add(oracleRecord(r))
	}
	if err := check.Record(c, o); err != nil {
		return err
	}
	if c.Shard.Epoch < l.log.incarnations {
		return nil // what it sent may have been lost with the end of the log
	}
	return l.checkLeft(o)
}

// checkLeft: rerouted records and dead letters were acknowledged before the commit.
func (l *life) checkLeft(o *oracle.Oracle) error {
	arrived := map[string]bool{}
	for _, p := range l.log.parts {
		for _, r := range p.recs {
			for _, h := range r.Headers {
				if h.Key == "speedlayer-moved-from" {
					arrived[string(h.Value)] = true
				}
			}
		}
	}
	for _, m := range o.Rerouted() {
		if at := fmt.Sprintf("%d/%d/%d", m.Source.Epoch, m.Source.Partition, m.Source.Offset); !arrived[at] {
			return fmt.Errorf("the record at %s was to be rerouted and is committed, but did not arrive", at)
		}
	}
	return nil
}

// checkCells compares every cell of every generation with the oracles.
func (l *life) checkCells(ctx context.Context, r store.Reader) error {
	live, err := l.store.Stats(ctx)
	if err != nil {
		return err
	}
	return check.Cells(ctx, r, live.Generations, l.oracle)
}

// checkEnd: the log has been read to its end, and dead letters are where they
// belong.
func (l *life) checkEnd() error {
	if l.stopped.Load() {
		return nil
	}
	for part := range l.log.parts {
		o := l.oracle[l.shard(part)]
		if o.Next() != l.log.parts[part].next {
			return fmt.Errorf("partition %d is committed up to %d, its log ends at %d", part, o.Next(), l.log.parts[part].next)
		}
		for _, d := range o.DeadLetters() {
			if at := fmt.Sprintf("%d/%d/%d", l.epoch.Number, part, d.Record.Offset); !l.log.dead[at] {
				return fmt.Errorf("the record at %s was rejected (%s) and is not a dead letter", at, d.Reason)
			}
		}
		l.r.Done["rerouted"] += len(o.Rerouted())
		l.r.Done["rejected"] += len(o.DeadLetters())
		l.r.Done["duplicates"] += int(o.Counts().Duplicates)
		l.r.Done["markers"] += int(o.Counts().Markers)
	}
	return nil
}
