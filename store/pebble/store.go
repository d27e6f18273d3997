package pebble

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/store"
)

// Options configure the store. Only Dir is required; zero values mean defaults.
type Options struct {
	Dir           string
	FS            vfs.FS // nil is the disk
	CacheBytes    int64  // of blocks, and of the current memtables; 0 is 64 MiB. More for a while after Open: see start.go
	MemTableBytes uint64 // each of at most four; 0 is 16 MiB
	MaxOpenFiles  int    // tables kept open; 0 is 1,000
	Logger        *slog.Logger

	// NoSync leaves out every sync. It exists so that the crash tests can show
	// that they would notice. Setting it anywhere else loses data.
	NoSync bool
}

// Store implements store.Store.
type Store struct {
	opts  Options
	db    *pebble.DB
	fs    vfs.FS
	sync  *pebble.WriteOptions
	start *start

	damage damage
	// applying is held shared by Apply and exclusively by DropGeneration, so
	// that no cell is written into a generation after it was dropped.
	applying sync.RWMutex
	// control serialises compare-and-sets.
	control sync.Mutex

	mu struct {
		sync.Mutex
		shards      map[store.Shard]*shard
		generations map[uint32]generation
		closed      bool
	}
}

// shard is what is known in memory of one shard.
type shard struct {
	sync.Mutex       // held while a batch of the shard is written
	committed  int64 // offset of the commit row; -1 if there is none
	batchBytes int   // of the last batch: a hint for the size of the next
}

// Open opens or makes the store in a directory.
func Open(o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 16 << 20
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 1000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{opts: o, fs: o.FS, sync: pebble.Sync}
	if o.NoSync {
		s.sync = pebble.NoSync
	}
	s.mu.shards = make(map[store.Shard]*shard)
	s.mu.generations = make(map[uint32]generation)
	cache := pebble.NewCache(startCache * o.CacheBytes)
	defer cache.Unref()
	compactions := newScheduler()
	options := tune(o, cache, compactions)
	options.EventListener, options.Logger = s.damage.listen(), logger{o.Logger, &s.damage}
	db, err := pebble.Open(o.Dir, options)
	if err != nil {
		return nil, namedOpen(o.Dir, err)
	}
	s.db = db
	s.start = beginStart(cache, (startCache-1)*o.CacheBytes, compactions)
	if err := s.load(); err != nil {
		return nil, errors.Join(namedOpen(o.Dir, s.named(err)), s.closeDB())
	}
	return s, nil
}

// tune sets Pebble up for many small sorted batches that overwrite recent keys. L0
// is compacted late, because each compaction of it rewrites all hot keys below.
// Filters make lookups of missing cells cheap. At most two compactions run at a
// time, because there may be only two cores.
func tune(o Options, cache *pebble.Cache, compactions *scheduler) *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       10,
		L0StopWritesThreshold:       40,
		LBaseMaxBytes:               256 << 20,
		MaxOpenFiles:                o.MaxOpenFiles,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Merger:                      merger,
		DisableWAL:                  false,
	}
	p.Experimental.CompactionScheduler = compactions
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
		p.Levels[i].IndexBlockSize = 64 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].FilterType = pebble.TableFilter
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	}
	return p
}

func (s *Store) load() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{generationPrefix}, UpperBound: []byte{generationPrefix + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		number, g, err := parseGeneration(it.Key(), it.Value())
		if err != nil {
			return err
		}
		s.mu.generations[number] = g
	}
	if err := it.Error(); err != nil {
		return err
	}
	return s.openSnapshots()
}

// Close flushes memory to disk and releases the directory.
func (s *Store) Close() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.control.Lock()
	defer s.control.Unlock()
	s.mu.Lock()
	closed := s.mu.closed
	s.mu.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	return s.closeDB()
}

func (s *Store) closeDB() error {
	s.start.close()
	s.damage.Lock()
	stuck := s.damage.stuck
	s.damage.Unlock()
	if stuck {
		return s.Damage() // it would wait for the goroutine that has ended
	}
	return s.db.Close()
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closed
}

// Stats implements store.Store.
func (s *Store) Stats(context.Context) (store.Stats, error) {
	if s.isClosed() {
		return store.Stats{}, store.ErrClosed
	}
	m := s.db.Metrics()
	st := store.Stats{DiskBytes: int64(m.DiskSpaceUsage()) + s.snapshotBytes(), MemoryBytes: m.BlockCache.Size + int64(m.MemTable.Size)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, g := range s.mu.generations {
		if g.live {
			st.Generations = append(st.Generations, number)
		}
	}
	return st, nil
}

// get calls fn with the value of a row, which is valid only during the call.
func get(r pebble.Reader, key []byte, fn func(value []byte) error) (found bool, err error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer closer.Close()
	return true, fn(value)
}

// Epochs implements store.Control.
func (s *Store) Epochs(context.Context) ([]store.Epoch, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	all, err := epochs(s.db)
	return all, s.named(err)
}

func epochs(r pebble.Reader) (all []store.Epoch, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{epochPrefix}, UpperBound: []byte{epochPrefix + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		var e store.Epoch
		if err := json.Unmarshal(it.Value(), &e); err != nil {
			return nil, fmt.Errorf("%w: epoch: %w", store.ErrCorrupt, err)
		}
		all = append(all, e)
	}
	return all, it.Error()
}

// AppendEpoch implements store.Control.
func (s *Store) AppendEpoch(ctx context.Context, e store.Epoch) error {
	s.control.Lock()
	defer s.control.Unlock()
	all, err := s.Epochs(ctx)
	if err != nil {
		return err
	}
	if err := e.Follows(len(all)); err != nil {
		return err
	}
	row, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.db.Set(numberKey(epochPrefix, e.Number), row, s.sync)
}

// Pointer implements store.Control.
func (s *Store) Pointer(context.Context) (store.Pointer, error) {
	if s.isClosed() {
		return store.Pointer{}, store.ErrClosed
	}
	p, err := pointer(s.db)
	return p, s.named(err)
}

func pointer(r pebble.Reader) (p store.Pointer, err error) {
	_, err = get(r, []byte(pointerKey), func(value []byte) error {
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("%w: pointer: %w", store.ErrCorrupt, err)
		}
		return nil
	})
	return p, err
}

// SwapPointer implements store.Control.
func (s *Store) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	s.control.Lock()
	defer s.control.Unlock()
	have, err := s.Pointer(ctx)
	if err != nil {
		return err
	}
	if have.Counter != expect || p.Counter != expect+1 {
		return fmt.Errorf("%w: pointer's counter is %d, not %d", store.ErrConflict, have.Counter, expect)
	}
	row, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.db.Set([]byte(pointerKey), row, s.sync)
}

// Row implements store.Control.
func (s *Store) Row(_ context.Context, name string) (row []byte, err error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	_, err = get(s.db, []byte(rowPrefix+name), func(value []byte) error {
		row = append([]byte{}, value...)
		return nil
	})
	return row, err
}

// SwapRow implements store.Control.
func (s *Store) SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error) {
	s.control.Lock()
	defer s.control.Unlock()
	have, err := s.Row(ctx, name)
	if err != nil || (have == nil) != (from == nil) || !bytes.Equal(have, from) {
		return false, err
	}
	return true, s.db.Set([]byte(rowPrefix+name), to, s.sync)
}

// CreateGeneration implements store.Control.
func (s *Store) CreateGeneration(_ context.Context, g uint32) error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.isClosed() {
		return store.ErrClosed
	}
	if have, known := s.generation(g); known {
		if !have.live {
			return fmt.Errorf("%w: %d", store.ErrDropped, g)
		}
		return nil
	}
	made := generation{live: true, indexed: true}
	if err := s.db.Set(numberKey(generationPrefix, g), made.row(), s.sync); err != nil {
		return err
	}
	s.setGeneration(g, made)
	return nil
}

// DropGeneration implements store.Control: a range delete of the cells, and one of
// their index.
func (s *Store) DropGeneration(_ context.Context, g uint32) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.control.Lock()
	defer s.control.Unlock()
	if s.isClosed() {
		return store.ErrClosed
	}
	b := s.db.NewBatch()
	defer b.Close()
	cells, domains := numberKey(cellPrefix, g), numberKey(domainPrefix, g)
	if err := errors.Join(
		b.DeleteRange(cells, after(cells), nil),
		b.DeleteRange(domains, after(domains), nil),
		b.Set(numberKey(generationPrefix, g), generation{}.row(), nil),
		b.Commit(s.sync),
	); err != nil {
		return err
	}
	s.setGeneration(g, generation{})
	return nil
}

// logger passes on the messages of Pebble. Errors of its background work come as
// Errorf. A Fatalf means that continuing would lose data.
type logger struct {
	log    *slog.Logger
	damage *damage
}

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
	l.damage.fatal(fmt.Sprintf(format, args...))
}
