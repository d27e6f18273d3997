package crash

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"speedlayer/catalog"
	"speedlayer/microbatch"
	"speedlayer/record"
	simbatch "speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// errDied: an injected error ended the process, as it may.
var errDied = errors.New("crash: the process ended")

// life is one process, from opening the store to its end.
type life struct {
	w         World
	additions bool // the store takes additions
	r         *Report
	rng       *rand.Rand
	traffic   *traffic
	steps     int

	disk    *vfs.MemFS
	faults  *injector
	log     *topic
	known   known       // guarded by log.mu
	stopped atomic.Bool // it was cut: what it does from now on counts for nothing

	pebble *pebble.Store
	store  store.Store
	epoch  store.Epoch
	procs  [][]*microbatch.Processor // by partition: the owner, and perhaps an older one still alive
	saving []*saving                 // by partition: a snapshot half written
	oracle map[store.Shard]*oracle.Oracle
	layer  *simbatch.Layer
	inRun  atomic.Bool // a batch run works
}

// saving is a snapshot on its way to the store.
type saving struct {
	offset int64
	chunks [][]byte
	done   int
}

func newLife(w World, r *Report, c cut, rng *rand.Rand) *life {
	if r.Fired == nil {
		r.Fired, r.Done = map[string]int{}, map[string]int{}
	}
	r.Lives++
	l := &life{w: w, r: r, rng: rng, disk: c.disk, log: c.log, known: c.known, traffic: newTraffic(rng, false),
		faults: &injector{rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), fired: r.Fired}}
	l.oracle = maps.Clone(c.old)
	l.layer = l.newLayer(c.results)
	l.procs = make([][]*microbatch.Processor, len(c.log.parts))
	l.saving = make([]*saving, len(c.log.parts))
	return l
}

// cutHere is what a loss of power at this moment leaves: with a chance of 1 in
// 4 everything (a killed process), of 1 in 4 what was synced and no more.
func (l *life) cutHere(rng *rand.Rand, n int, op errorfs.Op) cut {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	keep := []int{0, 100, rng.IntN(101), rng.IntN(101)}[rng.IntN(4)]
	return cut{
		disk:    losePower(l.disk, rng, keep),
		log:     l.log.copy(),
		known:   l.known.copy(),
		old:     l.oldOracles(),
		results: l.layer.Copy(),
		point:   fmt.Sprintf("%d before %s of %s, %d%% of the unsynced kept", n, opName(op.Kind), op.Path, keep),
	}
}

// oldOracles are those of log epochs that have ended.
func (l *life) oldOracles() map[store.Shard]*oracle.Oracle {
	old := map[store.Shard]*oracle.Oracle{}
	for shard, o := range l.oracle {
		if shard.Epoch < l.log.incarnations {
			old[shard] = o
		}
	}
	return old
}

// run lives until all of the log is in the cells, or the life is cut.
func (l *life) run() (err error) {
	defer func() {
		l.faults.stop()
		if p := recover(); p != nil {
			// Pebble ends the process when its log cannot be written. The store
			// is left as it is: nobody asks it for anything any more.
			if !strings.Contains(fmt.Sprint(p), "injected error") {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				return
			}
			err = errDied
			return
		}
		if l.pebble != nil {
			err = errors.Join(err, l.pebble.Close())
		}
		switch {
		case l.stopped.Load():
			err = nil
		case err != nil && strings.Contains(err.Error(), "injected error"):
			err = fmt.Errorf("%w: %w", errDied, err)
		}
	}()
	if err := l.open(); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	if err := l.checkAll(); err != nil {
		return fmt.Errorf("after opening: %w", err)
	}
	if err := l.prepare(randomSettings(l.rng)); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	for range l.steps {
		if l.stopped.Load() {
			return nil
		}
		if err := l.step(); err != nil {
			return err
		}
	}
	if err := l.drain(); err != nil || l.stopped.Load() {
		return err
	}
	if err := l.checkAll(); err != nil {
		return fmt.Errorf("at the end of the log: %w", err)
	}
	return l.checkEnd()
}

func (l *life) open() error {
	var fs vfs.FS = l.disk
	if l.w.Variant.Skip != nil {
		fs = forgetful{fs, l.w.Variant.Skip}
	}
	var err error
	l.pebble, err = pebble.Open(pebble.Options{Dir: storeDir, FS: errorfs.Wrap(fs, l.faults), NoSync: l.w.Variant.NoSync,
		CacheBytes: 4 << 10, MemTableBytes: 48 << 10})
	if err != nil {
		return err
	}
	l.store = l.pebble
	if l.w.Variant.Wrap != nil {
		l.store = l.w.Variant.Wrap(l.store)
	}
	l.additions = store.Additions(l.store)
	l.store = &witness{Store: l.store, l: l}
	return l.openOracle()
}

// prepare is what a process does at start.
func (l *life) prepare(fresh record.Settings) error {
	ctx := context.Background()
	s, err := catalog.Settings(ctx, l.store, fresh)
	if err != nil {
		return err
	}
	if l.epoch, _, err = catalog.EnsureEpoch(ctx, l.store, l.log.info(), s); err != nil {
		return err
	}
	if l.epoch.Number != l.log.incarnations {
		return fmt.Errorf("log epoch %d (%s), the log is in its incarnation %d", l.epoch.Number, l.epoch.Reason, l.log.incarnations)
	}
	if err := l.openOracle(); err != nil {
		return err
	}
	_, _, err = catalog.EnsureSettings(ctx, l.store, l.log, l.epoch.Partitions, s)
	return err
}

func (l *life) shard(part int) store.Shard {
	return store.Shard{Epoch: l.epoch.Number, Partition: int32(part)}
}

// step does one thing of the many that a process does.
func (l *life) step() error {
	part := l.rng.IntN(len(l.log.parts))
	switch n := l.rng.IntN(100); {
	case l.w.Runs && l.rng.IntN(4) == 0:
		return l.batchRun()
	case n < 22:
		l.log.mu.Lock()
		l.log.now += l.rng.Int64N(40 * 60_000)
		l.log.mu.Unlock()
		burst := 1 + l.rng.IntN(25)
		if l.traffic.crowd {
			burst *= 20
		}
		l.traffic.append(l.log, burst)
		return nil
	case n < 60:
		return l.process(part)
	case n < 76:
		return l.commit(part)
	case n < 90:
		return l.snapshot(part)
	case n < 92:
		l.did("settings changed")
		_, _, err := catalog.EnsureSettings(context.Background(), l.store, l.log, l.epoch.Partitions, randomSettings(l.rng))
		return err
	case n < 94:
		return l.batchRun()
	case n < 95:
		return l.rollback()
	case n < 98:
		return l.takeOver(part)
	}
	return l.checkAll()
}

func (l *life) did(what string) { l.r.Done[what]++ }

// takeOver loads another processor. The one before may live on as a zombie.
func (l *life) takeOver(part int) error {
	shard := l.shard(part)
	p, err := microbatch.Load(context.Background(), microbatch.Config{
		Store: l.store, Shard: shard, Epoch: l.epoch, Topic: "pageviews", Sink: l.log,
		Operator: view.NewPageviews(view.Limits{Slots: 512, Bytes: 64 << 10, Deltas: store.Unlimited, Additions: l.additions}),
		Retry: func(_ context.Context, attempt int, err error) error {
			if attempt > 3 || !strings.Contains(err.Error(), "injected error") {
				return err
			}
			l.did("store refused, offered again")
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("take-over of %v: %w", shard, err)
	}
	if start := l.log.parts[part].start; p.Next() < start {
		return fmt.Errorf("take-over of %v needs the log from %d, it begins at %d: an acknowledged snapshot is lost", shard, p.Next(), start)
	}
	if err := l.checkState(shard, p); err != nil {
		return err
	}
	l.did("take-over")
	l.procs[part] = append([]*microbatch.Processor{p}, l.procs[part]...)
	if len(l.procs[part]) > 2 || l.rng.IntN(2) == 0 {
		l.procs[part] = l.procs[part][:1]
	}
	return nil
}

// pick is the owner, or now and then a zombie.
func (l *life) pick(part int) (*microbatch.Processor, error) {
	if len(l.procs[part]) == 0 {
		if err := l.takeOver(part); err != nil {
			return nil, err
		}
	}
	p := l.procs[part][l.rng.IntN(len(l.procs[part]))]
	if p.Next() < l.log.parts[part].start { // the log left it behind
		l.procs[part] = nil
		return l.pick(part)
	}
	if p != l.procs[part][0] {
		l.did("zombie at work")
	}
	return p, nil
}

func (l *life) process(part int) error {
	p, err := l.pick(part)
	if err != nil {
		return err
	}
	recs := l.log.from(int32(part), p.Next())
	if len(recs) > 0 {
		recs = recs[:1+l.rng.IntN(len(recs))]
	}
	return l.dead(part, p.Process(context.Background(), recs))
}

func (l *life) commit(part int) error {
	p, err := l.pick(part)
	if err != nil {
		return err
	}
	return l.dead(part, p.Commit(context.Background()))
}

// dead drops a processor that gave up; another will be loaded.
func (l *life) dead(part int, err error) error {
	switch {
	case errors.Is(err, store.ErrSuperseded):
		l.did("processor superseded")
		l.procs[part] = nil
		return nil
	case err != nil && strings.Contains(err.Error(), "injected error"):
		l.did("processor gave up")
		l.procs[part] = nil
		return nil
	}
	return err
}

// snapshot writes the next chunk of a snapshot, or its name, or begins one.
func (l *life) snapshot(part int) error {
	shard := l.shard(part)
	ctx := context.Background()
	s := l.saving[part]
	switch {
	case s == nil:
		p, err := l.pick(part)
		if err != nil {
			return err
		}
		if err := l.dead(part, p.Commit(ctx)); err != nil || p.Uncommitted() > 0 || p.Next() < p.Committed() || p.Next() == l.epoch.Starts[part] {
			return err
		}
		b := p.AppendState(nil)
		if err := l.noteState(shard, p.Next(), b); err != nil {
			return err
		}
		// A world cuts all its states alike: chunks of the same offset must fit
		// together, whoever wrote them.
		if l.w.Seed%2 == 0 { // as the engine does it: all at once
			return l.named(part, microbatch.SaveSnapshot(ctx, l.store, shard, p.Next(), b))
		}
		l.saving[part] = &saving{offset: p.Next(), chunks: split(b, 200+int(l.w.Seed%7)*300)}
	case s.done < len(s.chunks):
		s.done++
		return l.gone(part, l.store.PutChunk(ctx, shard, s.offset, s.done-1, s.chunks[s.done-1]))
	default:
		l.saving[part] = nil
		return l.named(part, l.store.NameSnapshot(ctx, shard, store.SnapshotName{Offset: s.offset, Chunks: len(s.chunks)}))
	}
	return nil
}

// named drops the log below a snapshot that was named, now and then.
func (l *life) named(part int, err error) error {
	if err == nil && l.rng.IntN(2) == 0 {
		l.log.mu.Lock()
		offset := l.known.names[l.shard(part)]
		l.log.mu.Unlock()
		l.did("log dropped below a snapshot")
		l.log.trim(int32(part), offset)
	}
	return l.gone(part, err)
}

// gone gives up a snapshot that could not be written. A chunk that is gone was
// of a snapshot below the one that is named by now.
func (l *life) gone(part int, err error) error {
	if err == nil {
		l.did("snapshot step")
		return nil
	}
	l.saving[part] = nil
	if strings.Contains(err.Error(), "injected error") {
		l.did("snapshot given up")
		return nil
	}
	return err
}

func split(b []byte, n int) (chunks [][]byte) {
	for len(b) > n {
		chunks, b = append(chunks, b[:n]), b[n:]
	}
	return append(chunks, b)
}

// drain processes until nothing is left, rerouted records too.
func (l *life) drain() error {
	l.faults.mu.Lock()
	l.faults.errors = 0
	l.faults.mu.Unlock()
	l.traffic.append(l.log, 10)
	if err := l.lastRuns(); err != nil {
		return err
	}
	for left := true; left; {
		left = false
		for part := range l.log.parts {
			if l.stopped.Load() {
				return nil
			}
			p, err := l.pick(part)
			if err != nil {
				return err
			}
			recs := l.log.from(int32(part), p.Next())
			if err := l.dead(part, errors.Join(p.Process(context.Background(), recs), p.Commit(context.Background()))); err != nil {
				return err
			}
			if len(l.procs[part]) == 0 { // superseded: another one goes on
				left = true
				continue
			}
			left = left || len(recs) > 0 || len(l.procs[part]) > 1
			l.procs[part] = l.procs[part][:1]
		}
	}
	return nil
}

var hashSeed = maphash.MakeSeed()
