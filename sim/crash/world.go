package crash

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// Variant is a way to break the store, with which the harness shows that it
// would notice. The zero value is the store as it is.
type Variant struct {
	NoSync bool                          // pebble.Options.NoSync
	Skip   func(path string) bool        // files and directories whose syncs do nothing
	Wrap   func(store.Store) store.Store // around the store, in each life
}

// World defines what is run. The same world runs the same way, but for the order
// in which Pebble's own goroutines write.
type World struct {
	Seed    uint64
	Cuts    int // how many points of its first life to cut at, at most
	Variant Variant
	NoRuns  bool // no batch run after the end of the log
	Runs    bool // mostly batch runs; the first life is cut while one works
}

// Report counts what happened in worlds.
type Report struct {
	Points  int // cuts after which a life took over
	Lives   int
	Again   [4]int         // of Points: cuts of a first life, of a recovery from that, ...
	Fired   map[string]int // injected errors
	Done    map[string]int // what lives did
	Commits int
}

// deepest is how often in a row a recovery is cut.
const deepest = 3

// known is what the outside has been told, and may count on.
type known struct {
	commits map[store.Shard]int64
	names   map[store.Shard]int64
	counter uint64
	epochs  int
	states  map[stateID]uint64 // hashes of operator states
}

type stateID struct {
	shard  store.Shard
	offset int64
}

func (k known) copy() known {
	k.commits, k.names, k.states = maps.Clone(k.commits), maps.Clone(k.names), maps.Clone(k.states)
	return k
}

// cut is what is left at one point.
type cut struct {
	disk    *vfs.MemFS
	log     *topic
	known   known
	old     map[store.Shard]*oracle.Oracle // of log epochs that have ended; they do not change any more
	results *batch.Layer                   // of batch runs; nil: none
	point   string
}

// freshCut is a machine on which nothing has run yet.
func freshCut(rng *rand.Rand) cut {
	return cut{disk: vfs.NewCrashableMem(), log: newTopic(1+rng.IntN(3), start.UnixMilli()),
		known: known{commits: map[store.Shard]int64{}, names: map[store.Shard]int64{}, states: map[stateID]uint64{}}}
}

// Run runs a world, and returns the first thing that is wrong. The error says
// the seed and the points of the cuts.
func Run(w World, r *Report) error {
	rng := rand.New(rand.NewPCG(w.Seed, 0))
	first := newLife(w, r, freshCut(rng), rng)
	first.steps = 120 + rng.IntN(120)
	if w.Seed%8 == 7 {
		first.traffic.crowd, first.steps = true, 60
	}
	// The choice of cuts has its own numbers: Pebble's goroutines come here in
	// any order, and the life must not depend on that.
	choice := rand.New(rand.NewPCG(w.Seed, 1))
	one := 1 + choice.IntN(4)
	var cuts []cut
	first.faults.cut = func(n int, op errorfs.Op) {
		if w.Runs && !first.inRun.Load() {
			return
		}
		if len(cuts) < w.Cuts && choice.IntN(one) == 0 {
			cuts = append(cuts, first.cutHere(choice, n, op))
		}
	}
	if err := first.run(); err != nil {
		return fmt.Errorf("seed %d, before any cut: %w", w.Seed, err)
	}
	for i, c := range cuts {
		if err := resume(w, r, c, rand.New(rand.NewPCG(w.Seed, uint64(i)+2)), 0); err != nil {
			return fmt.Errorf("seed %d: %w", w.Seed, err)
		}
	}
	return nil
}

// resume lives on from a cut, and may be cut again.
func resume(w World, r *Report, c cut, rng *rand.Rand, depth int) error {
	r.Points++
	r.Again[depth]++
	l := newLife(w, r, c, rng)
	l.steps = rng.IntN(12)
	if rng.IntN(16) == 0 {
		l.steps = 60
	}
	var next *cut
	if depth < deepest {
		if rng.IntN(3) == 0 {
			at, choice := 1+rng.IntN(50), rand.New(rand.NewPCG(rng.Uint64(), 0))
			l.faults.cut = func(n int, op errorfs.Op) {
				if n == at {
					next = new(l.cutHere(choice, n, op))
					l.stopped.Store(true)
				}
			}
		}
		if rng.IntN(4) == 0 {
			l.faults.errors, l.steps = 0.05, 40
		}
	}
	err := l.run()
	if errors.Is(err, errDied) && next == nil {
		r.Done["processes ended by an error"]++
		next = new(l.cutHere(rng, 0, errorfs.Op{Path: err.Error()}))
	} else if err != nil && !errors.Is(err, errDied) {
		return fmt.Errorf("cut at %s: %w", c.point, err)
	}
	if next == nil {
		return nil
	}
	next.point = c.point + "; then at " + next.point
	return resume(w, r, *next, rng, depth+1)
}
