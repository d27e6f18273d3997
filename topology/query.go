package topology

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"speedlayer/crdt"
	"speedlayer/store"
)

// Snapshot reads results. On a store of one's own machine it is one moment of them.
// One goroutine owns it, and closes it.
type Snapshot struct {
	t       *Topology
	readers []store.Reader // by stage
	lists   [][]uint32     // generations, the newest first
	closing []store.Store
}

// Query opens the results of a topology that does not run in any process, or that
// runs on a store which processes share. Nothing is processed.
func Query(ctx context.Context, t *Topology, cfg Config) (*Snapshot, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	cfg.setDefaults(t)
	open := cfg.OpenStore
	var stores []store.Store
	for _, g := range t.stages {
		var st store.Store
		var err error
		if open != nil {
			st, err = open(ctx, g.topic)
		} else {
			st, err = openPebble(&cfg, g)
		}
		if err != nil {
			for _, st := range stores {
				err = errors.Join(err, st.Close())
			}
			return nil, err
		}
		stores = append(stores, st)
	}
	s, err := snapshot(ctx, t, stores)
	if err != nil {
		for _, st := range stores {
			err = errors.Join(err, st.Close())
		}
		return nil, err
	}
	s.closing = stores
	return s, nil
}

// Query opens the results as they are now. See Settle.
func (j *Job) Query(ctx context.Context) (*Snapshot, error) {
	var stores []store.Store
	for _, s := range j.stages {
		stores = append(stores, s.store)
	}
	return snapshot(ctx, j.t, stores)
}

func snapshot(ctx context.Context, t *Topology, stores []store.Store) (s *Snapshot, err error) {
	s = &Snapshot{t: t}
	defer func() {
		if err != nil {
			s, err = nil, errors.Join(err, s.Close())
		}
	}()
	for _, st := range stores {
		r, err := st.Read(ctx)
		if err != nil {
			return s, err
		}
		s.readers = append(s.readers, r)
		p, err := r.Pointer(ctx)
		if err != nil {
			return s, err
		}
		list := append([]uint32(nil), p.Open()...)
		for i := range len(list) / 2 {
			list[i], list[len(list)-1-i] = list[len(list)-1-i], list[i]
		}
		s.lists = append(s.lists, list)
	}
	return s, nil
}

// Close frees the snapshot.
func (s *Snapshot) Close() error {
	var errs []error
	for _, r := range s.readers {
		errs = append(errs, r.Close())
	}
	for _, st := range s.closing {
		errs = append(errs, st.Close())
	}
	s.readers, s.closing = nil, nil
	return errors.Join(errs...)
}

// Range is a range of hours since 1970: From <= hour < To. The zero value is all
// hours, and the only one for steps without a window.
type Range struct{ From, To int32 }

// Between is the range of the whole hours of UTC in [from, to).
func Between(from, to time.Time) Range {
	return Range{int32(from.Unix() / 3600), int32(to.Unix() / 3600)}
}

// Bucket is a length of windows: an hour, a day, a week of 7 days, or a month of 28
// days, counted from 1970, so that they nest.
type Bucket int32

// The buckets, in hours.
const (
	Hour  Bucket = 1
	Day   Bucket = 24
	Week  Bucket = 7 * 24
	Month Bucket = 28 * 24
)

// begin is the first hour of the bucket that an hour lies in.
func (b Bucket) begin(hour int32) int32 { return hour - hour%int32(b) }

// check returns the range to read, and what is wrong with the question.
func (s *Snapshot) check(of *step, r Range) (Range, error) {
	switch {
	case of.t != s.t:
		return r, fmt.Errorf("topology: step %s is of another topology than %s", of.name, s.t.name)
	case r == Range{}:
		return Range{0, math.MaxInt32}, nil
	case !of.hours:
		return r, fmt.Errorf("topology: step %s has no window: allowed is the zero Range", of.name)
	case r.From < 0 || r.From > r.To:
		return r, fmt.Errorf("topology: hours %d to %d: allowed is 0 <= From <= To", r.From, r.To)
	}
	return r, nil
}

// one calls fn with the cells of one key: of each generation, hour and shard.
func (s *Snapshot) one(ctx context.Context, of *step, key string, r Range, fn func(hour int32, value []byte) error) error {
	r, err := s.check(of, r)
	if err != nil {
		return err
	}
	for _, g := range s.lists[of.stage.number] {
		err := s.readers[of.stage.number].Scan(ctx, store.Range{Generation: g, View: of.view, URL: of.prefix() + escape(key), From: r.From, To: r.To},
			func(c *store.ScanCell) error { return fn(c.Hour, c.Value) })
		if err != nil {
			return fmt.Errorf("topology: step %s: %w", of.name, err)
		}
	}
	return nil
}

// cell is a cell of any key.
type cell struct {
	key   []byte // escaped; valid until the next one
	hour  int32
	value []byte
}

// all gives the cells of all keys, in the order of their keys: those of one key follow
// each other, of all generations, hours and shards.
func (s *Snapshot) all(ctx context.Context, of *step, r Range) iter.Seq2[cell, error] {
	return func(yield func(cell, error) bool) {
		r, err := s.check(of, r)
		if err != nil {
			yield(cell{}, err)
			return
		}
		var lists []iter.Seq2[cell, error]
		for _, g := range s.lists[of.stage.number] {
			lists = append(lists, s.generation(ctx, of, g, r))
		}
		if len(lists) == 1 {
			lists[0](yield)
			return
		}
		mergeCells(lists, yield)
	}
}

var errStop = errors.New("enough")

func (s *Snapshot) generation(ctx context.Context, of *step, g uint32, r Range) iter.Seq2[cell, error] {
	return func(yield func(cell, error) bool) {
		prefix := of.prefix()
		err := s.readers[of.stage.number].Scan(ctx, store.Range{Generation: g, View: of.view, URL: prefix, Prefix: true, From: r.From, To: r.To},
			func(c *store.ScanCell) error {
				if !yield(cell{c.URL[len(prefix):], c.Hour, c.Value}, nil) {
					return errStop
				}
				return nil
			})
		if err != nil && !errors.Is(err, errStop) {
			yield(cell{}, fmt.Errorf("topology: step %s: %w", of.name, err))
		}
	}
}

// mergeCells merges lists that are in the order of their keys.
func mergeCells(lists []iter.Seq2[cell, error], yield func(cell, error) bool) {
	type head struct {
		cell
		next func() (cell, error, bool)
	}
	var heads []*head
	for _, l := range lists {
		next, stop := iter.Pull2(l)
		defer stop()
		if c, err, ok := next(); ok {
			if err != nil {
				yield(c, err)
				return
			}
			heads = append(heads, &head{c, next})
		}
	}
	for len(heads) > 0 {
		least := 0
		for i, h := range heads {
			if string(h.key) < string(heads[least].key) {
				least = i
			}
		}
		h := heads[least]
		if !yield(h.cell, nil) {
			return
		}
		c, err, ok := h.next()
		if err != nil {
			yield(c, err)
			return
		}
		h.cell = c
		if !ok {
			heads = append(heads[:least], heads[least+1:]...)
		}
	}
}

// Get returns the count of a key, 0 if it never came.
func (c *Counts) Get(ctx context.Context, s *Snapshot, key string, r Range) (n uint64, err error) {
	err = s.one(ctx, c.step, key, r, func(_ int32, value []byte) error {
		part, err := crdt.Count(value)
		n += part
		return err
	})
	return n, err
}

// Buckets returns the counts of a key by bucket: the first hour of each that has any.
func (c *Counts) Buckets(ctx context.Context, s *Snapshot, key string, r Range, b Bucket) (map[int32]uint64, error) {
	by := map[int32]uint64{}
	err := s.one(ctx, c.step, key, r, func(hour int32, value []byte) error {
		part, err := crdt.Count(value)
		by[b.begin(hour)] += part
		return err
	})
	return by, err
}

// All gives every key with its count, in the order of their bytes.
func (c *Counts) All(ctx context.Context, s *Snapshot, r Range) iter.Seq2[Ranked, error] {
	return func(yield func(Ranked, error) bool) {
		for e, err := range c.raw(ctx, s, r) {
			if !yield(Ranked{unescape(e.key), e.n}, err) {
				return
			}
		}
	}
}

// counted is a key, escaped, with its count.
type counted struct {
	key []byte
	n   uint64
}

// raw is All of keys as they are stored, which are valid until the next one.
func (c *Counts) raw(ctx context.Context, s *Snapshot, r Range) iter.Seq2[counted, error] {
	return func(yield func(counted, error) bool) {
		var now counted
		some := false
		for at, err := range s.all(ctx, c.step, r) {
			var n uint64
			if err == nil {
				n, err = crdt.Count(at.value)
			}
			if err != nil {
				yield(counted{}, err)
				return
			}
			if some && string(now.key) == string(at.key) {
				now.n += n
				continue
			}
			if some && !yield(now, nil) {
				return
			}
			now, some = counted{append(now.key[:0], at.key...), n}, true
		}
		if some {
			yield(now, nil)
		}
	}
}

// Get returns the sum of a key, 0 if it never came.
func (c *Sums) Get(ctx context.Context, s *Snapshot, key string, r Range) (sum int64, err error) {
	err = s.one(ctx, c.step, key, r, func(_ int32, value []byte) error {
		part, err := decodeSum(value)
		sum += part
		return err
	})
	return sum, err
}

// Estimate is a number of different members. RelativeError is 0 if it is exact, else
// 95 of 100 estimates are within it.
type Estimate struct {
	N             uint64
	Exact         bool
	RelativeError float64
}

// Get returns how many different members a key has.
func (c *Uniques) Get(ctx context.Context, s *Snapshot, key string, r Range) (e Estimate, err error) {
	var m crdt.Merger
	if err = s.one(ctx, c.step, key, r, func(_ int32, value []byte) error { return m.Add(value, nil) }); err != nil {
		return e, err
	}
	e.N, e.Exact, e.RelativeError, err = m.Estimate()
	return e, err
}

// Get returns the state of a key in one hour, 0 without a window. found is false if
// the key has had no event.
func (c *States[S]) Get(ctx context.Context, s *Snapshot, key string, hour int32) (state S, found bool, err error) {
	r := Range{}
	if c.step.hours {
		r = Range{hour, hour + 1}
	}
	err = s.one(ctx, c.step, key, r, func(_ int32, value []byte) (err error) {
		if found {
			return fmt.Errorf("%w: two states of one key", errCell)
		}
		found = true
		state, err = c.codec.Decode(value)
		return err
	})
	return state, found, err
}

// Get returns the first values of a key.
func (c *TopsBy) Get(ctx context.Context, s *Snapshot, key string, r Range) ([]Ranked, error) {
	sum := tally{}
	err := s.one(ctx, c.step, key, r, func(_ int32, value []byte) error {
		t, err := tallies.Decode(value)
		for v, n := range t {
			sum[v] += n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list := newTop(c.n)
	for v, n := range sum {
		list.add(Ranked{v, n})
	}
	return list.sorted(), nil
}

// Stats is what was counted of the records of a topology's source.
type Stats struct {
	Records    int64 // processed
	Events     int64 // of them, those that counted
	Duplicates int64 // by nonce
	Rejected   int64 // in the topic TOPIC-rejected, with the reason
}

// Stats sums up what the partitions have committed.
func (s *Snapshot) Stats(ctx context.Context) (sum Stats, err error) {
	commits, err := s.readers[0].Commits(ctx)
	if err != nil {
		return sum, err
	}
	for _, c := range commits {
		r, err := store.DecodeCommitRecord(c.Commit.Record)
		if err != nil {
			return sum, err
		}
		sum.Records += r.Records
		sum.Events += r.Events
		sum.Duplicates += r.Duplicates
		sum.Rejected += r.Rejected
	}
	return sum, nil
}
