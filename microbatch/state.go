package microbatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"speedlayer/record"
	"speedlayer/store"
)

// A snapshot of operator state, version 1. Integers are little-endian, strings
// and lists after their length as u32:
//
//	version u8 | offset i64 | commit record | settings JSON
//	| sources: n u32, then epoch u32, partition u32, offset i64 each, sorted
//	| dedupe (dedupe.go) | operator (its own format)
const stateVersion = 1

// AppendState appends the operator state as it is before the record at Next. It
// holds all that the next event's result needs, and nothing of the cells.
func (p *Processor) AppendState(dst []byte) []byte {
	le := binary.LittleEndian
	dst = slices.Grow(dst, p.stateBytes()) // tens of MB: growing by steps would take twice that
	dst = append(dst, stateVersion)
	dst = le.AppendUint64(dst, uint64(p.next))
	dst = appendSized(dst, p.state.counts.Append)
	dst = appendSized(dst, func(b []byte) []byte { return append(b, p.state.settings.String()...) })
	keys := slices.SortedFunc(maps.Keys(p.state.sources), func(a, b source) int {
		return store.Shard{Epoch: a.epoch, Partition: a.partition}.Compare(store.Shard{Epoch: b.epoch, Partition: b.partition})
	})
	dst = le.AppendUint32(dst, uint32(len(keys)))
	for _, k := range keys {
		dst = le.AppendUint32(dst, k.epoch)
		dst = le.AppendUint32(dst, uint32(k.partition))
		dst = le.AppendUint64(dst, uint64(p.state.sources[k]))
	}
	dst = p.state.dedupe.appendState(dst)
	return p.cfg.Operator.AppendState(dst)
}

// stateBytes is about how long the state is: more rather than less.
func (p *Processor) stateBytes() int {
	n := 4<<10 + 16*len(p.state.sources) + pairBytes*p.state.dedupe.count
	if o, ok := p.cfg.Operator.(interface{ StateBytes() int }); ok {
		n += o.StateBytes()
	}
	return n
}

func appendSized(dst []byte, add func([]byte) []byte) []byte {
	at := len(dst)
	dst = add(append(dst, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// loadState is the inverse of AppendState.
func (p *Processor) loadState(b []byte) error {
	d := stateReader{b: b}
	if v := d.bytes(1); d.err == nil && v[0] != stateVersion {
		return fmt.Errorf("%w: version %d, this program knows %d", errState, v[0], stateVersion)
	}
	offset := int64(d.u64())
	row := d.sized()
	settings := d.sized()
	sources := make(map[source]int64)
	for range d.count(16) {
		k := source{d.u32(), int32(d.u32())}
		sources[k] = int64(d.u64())
	}
	if d.err != nil {
		return d.err
	}
	counts, err := store.DecodeCommitRecord(row)
	if err != nil {
		return err
	}
	set, err := record.ParseSettings(string(settings))
	if err != nil {
		return err
	}
	if err := p.start(offset, counts, set); err != nil {
		return err
	}
	p.state.sources = sources
	rest, err := p.state.dedupe.loadState(d.b)
	if err != nil {
		return err
	}
	return p.cfg.Operator.LoadState(rest)
}

// start sets the state at an offset, with no memory of the past.
func (p *Processor) start(offset int64, counts store.CommitRecord, s record.Settings) error {
	p.next = offset
	p.state = opState{counts: counts, settings: s, sources: make(map[source]int64),
		dedupe: newDedupe(s.DedupeWindow, s.DedupeEntries)}
	return p.cfg.Operator.Begin(counts.Generation, counts.GenerationStart, s.Operator)
}

type stateReader struct {
	b   []byte
	err error
}

func (d *stateReader) bytes(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.b)) {
		d.err = fmt.Errorf("%w: cut off", errState)
	}
	if d.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *stateReader) u32() uint32   { return binary.LittleEndian.Uint32(d.bytes(4)) }
func (d *stateReader) u64() uint64   { return binary.LittleEndian.Uint64(d.bytes(8)) }
func (d *stateReader) sized() []byte { return d.bytes(int(d.u32())) }

// count reads the length of a list whose elements have size bytes.
func (d *stateReader) count(size int) int {
	n := int(d.u32())
	if d.err == nil && n > len(d.b)/size {
		d.err = fmt.Errorf("%w: a list of %d in %d bytes", errState, n, len(d.b))
	}
	if d.err != nil {
		return 0
	}
	return n
}

// Load makes a processor from the shard's commit and snapshot. It must then be
// given the log from Next on; until it passes the commit it only rebuilds
// operator state.
func Load(ctx context.Context, cfg Config) (*Processor, error) {
	p := &Processor{cfg: cfg}
	p.classifier = record.Classifier{Here: record.Source{Epoch: cfg.Shard.Epoch, Partition: cfg.Shard.Partition},
		Partitions: cfg.Epoch.Partitions, Topic: cfg.Topic, Rules: cfg.Operator, Trust: cfg.Trust}
	settings, err := record.ParseSettings(cfg.Epoch.Settings)
	if err != nil {
		return nil, err
	}
	begin := cfg.Epoch.Starts[cfg.Shard.Partition]
	for {
		// The commit is read first: a snapshot is never named above the commit,
		// but the one read second may be of a later commit, which is harmless:
		// the processor then begins above the commit it knows.
		commit, found, err := cfg.Store.Commit(ctx, cfg.Shard)
		if err != nil {
			return nil, fmt.Errorf("commit of %v: %w", cfg.Shard, err)
		}
		p.commit = begin
		if found {
			p.commit = commit.Offset
		}
		name, found, err := cfg.Store.Snapshot(ctx, cfg.Shard)
		if err != nil {
			return nil, fmt.Errorf("snapshot of %v: %w", cfg.Shard, err)
		}
		if !found {
			if err := p.start(begin, store.CommitRecord{Generation: cfg.Epoch.Generation, GenerationStart: begin}, settings); err != nil {
				return nil, fmt.Errorf("log epoch %d: %w", cfg.Epoch.Number, err)
			}
			break
		}
		err = p.loadSnapshot(ctx, name)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrNoChunk) {
			return nil, fmt.Errorf("snapshot of %v: %w", cfg.Shard, err)
		}
		// A newer one may have been named meanwhile; only if it is the same is
		// it a gap.
		again, found, err2 := cfg.Store.Snapshot(ctx, cfg.Shard)
		if err2 != nil {
			return nil, fmt.Errorf("snapshot of %v: %w", cfg.Shard, err2)
		}
		if found && again == name {
			return nil, fmt.Errorf("%w: %v: %w", ErrGap, cfg.Shard, err)
		}
	}
	p.commit = max(p.commit, p.next)
	p.begun = p.commit
	return p, nil
}

// states holds buffers of snapshots that were read: as many as take over at a
// time. Nothing of a state keeps pointing into its buffer.
var states = sync.Pool{New: func() any { return new([]byte) }}

func (p *Processor) loadSnapshot(ctx context.Context, n store.SnapshotName) error {
	buf := states.Get().(*[]byte)
	defer states.Put(buf)
	b := slices.Grow((*buf)[:0], n.Chunks*store.ChunkBytes(p.cfg.Store))
	defer func() { *buf = b[:0] }()
	var err error
	b, err = p.readChunks(ctx, n, b)
	if err != nil {
		return err
	}
	if err := p.loadState(b); err != nil {
		return err
	}
	if p.next != n.Offset {
		return fmt.Errorf("%w: state of offset %d under the name %d", errState, p.next, n.Offset)
	}
	return nil
}

// chunksAtOnce is how many chunks are read beside each other: of a store behind a
// network, each is a round trip.
const chunksAtOnce = 8

// readChunks appends all chunks of a snapshot.
func (p *Processor) readChunks(ctx context.Context, n store.SnapshotName, dst []byte) ([]byte, error) {
	if n.Chunks <= chunksAtOnce { // few and large: straight to their place
		for i := range n.Chunks {
			var err error
			if dst, err = p.cfg.Store.Chunk(ctx, p.cfg.Shard, n.Offset, i, dst); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	var ahead [chunksAtOnce][]byte
	for begin := 0; begin < n.Chunks; begin += chunksAtOnce {
		some := min(chunksAtOnce, n.Chunks-begin)
		g, reading := errgroup.WithContext(ctx)
		for i := range some {
			g.Go(func() (err error) {
				ahead[i], err = p.cfg.Store.Chunk(reading, p.cfg.Shard, n.Offset, begin+i, ahead[i][:0])
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return dst, err
		}
		for i := range some {
			dst = append(dst, ahead[i]...)
		}
	}
	return dst, nil
}

// SaveSnapshot makes a state that AppendState wrote at offset the shard's
// snapshot: chunks first, then the name. The commit must stand at offset or
// above. It may run beside the processor, which has moved on.
func SaveSnapshot(ctx context.Context, st store.Snapshots, s store.Shard, offset int64, state []byte) error {
	chunks := 0
	for chunk := range slices.Chunk(state, store.ChunkBytes(st)) {
		if err := st.PutChunk(ctx, s, offset, chunks, chunk); err != nil {
			return fmt.Errorf("chunk %d of snapshot %d of %v: %w", chunks, offset, s, err)
		}
		chunks++
	}
	if err := st.NameSnapshot(ctx, s, store.SnapshotName{Offset: offset, Chunks: chunks}); err != nil {
		return fmt.Errorf("name of snapshot %d of %v: %w", offset, s, err)
	}
	return nil
}
