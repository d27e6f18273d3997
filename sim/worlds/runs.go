package worlds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch"
	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/queue"
	simbatch "speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// Info implements batch.RunLog.
func (l markerLog) Info(context.Context) (queue.TopicInfo, error) {
	if err := l.w.call("asking for the log"); err != nil {
		return queue.TopicInfo{}, err
	}
	info := queue.TopicInfo{ID: "t", Partitions: l.w.epoch.Partitions}
	for _, p := range l.w.parts {
		info.Starts, info.Ends = append(info.Starts, p.start), append(info.Ends, p.next)
	}
	return info, nil
}

// Scan implements batch.RunLog.
func (l markerLog) Scan(_ context.Context, part int32, from, to int64, fn func(*kgo.Record) error) error {
	p := l.w.parts[part]
	for from < to {
		if err := l.w.call("reading the log for a marker"); err != nil {
			return err
		}
		if from < p.start {
			return &queue.ErrLogStart{Offset: from, Start: p.start}
		}
		recs := p.read(from, 4)
		for _, r := range recs {
			if r.Offset >= to {
				return nil
			}
			if err := fn(r); err != nil {
				return err
			}
			from = r.Offset + 1
		}
		if len(recs) == 0 {
			return nil // a gap ends the log
		}
	}
	return nil
}

// newLayer is the batch layer of a world: its archive holds the whole log, unless
// it is said to have a hole.
func (w *world) newLayer() *simbatch.Layer {
	return &simbatch.Layer{
		Logs: w.archived,
		Edges: func() (edges [][2]string) {
			for e := range w.linked {
				edges = append(edges, e)
			}
			return edges
		},
		Wait: func(step string) error { return w.call("the batch layer: " + step) },
	}
}

var errHole = errors.New("worlds: the archive has a hole")

func (w *world) archived(vector []store.VectorEntry) (logs []simbatch.Log, err error) {
	if w.fault(20) {
		w.saw(HoleStopsRun)
		return nil, errHole
	}
	for _, v := range vector {
		o, err := oracle.EpochOptions(w.epoch, v.Partition)
		if err != nil {
			return nil, err
		}
		log := simbatch.Log{Options: o}
		p := w.parts[v.Partition]
		for _, r := range p.records {
			if r.Offset < v.Offset {
				log.Records = append(log.Records, oracleRecord(r))
			}
		}
		logs = append(logs, log)
	}
	return logs, nil
}

// startRun begins a batch run, as another process each time does. Others may be
// under way: whoever comes last takes the run over.
func (w *world) startRun() {
	w.runs++
	name := fmt.Sprintf("batch run, process %d", w.runs)
	for _, t := range w.tasks {
		w.sawIf(TwoRunsAtOnce, t.run)
	}
	t := w.spawn(name, func(*task) {
		r := w.newRuns(name)
		if running := w.store.pointer.Running; running != nil {
			w.saw(RunDoneAgain)
		}
		run, err := r.Run(context.Background())
		switch {
		case err == nil:
			w.saw(RunCompleted)
			w.trace("run %d is complete", run.Number)
		case errors.Is(err, batch.ErrOvertaken):
			w.saw(RunOvertaken)
			w.trace("overtaken: %v", err)
		case errors.Is(err, batch.ErrNotCounted):
			w.spent++
			w.saw(RunNumberSpent)
			w.trace("run failed for good: %v", err)
		default:
			w.sawIf(RunFailed, !errors.Is(err, errKilled))
			w.trace("run failed: %v", err)
		}
	})
	t.run = true
}

func (w *world) newRuns(owner string) *batch.Runs {
	return &batch.Runs{Store: w.store, Log: markerLog{w}, Job: w.layer, CheckSettings: view.CheckSettings, Owner: owner, DropAfter: time.Second,
		Now:  func() time.Time { return time.UnixMilli(w.now) },
		Wait: func(context.Context, time.Duration) error { return w.call("waiting for the last query") }}
}

// runsUnderWay counts them.
func (w *world) runsUnderWay() (n int) {
	for _, t := range w.tasks {
		if t.run {
			n++
		}
	}
	return n
}

// driveRun lets a run go on for some steps.
func (w *world) driveRun() {
	at := w.below(w.runsUnderWay())
	for _, t := range w.tasks {
		if !t.run {
			continue
		}
		if at == 0 {
			for n := 4 * (1 + w.below(4)); n > 0 && !t.over; n-- {
				w.resume(t)
			}
			return
		}
		at--
	}
}

// startRetire does what a completed run leaves to do, if it was cut short there.
func (w *world) startRetire() {
	w.spawn("retiring generations", func(*task) { _ = w.newRuns("retire").Retire(context.Background()) })
}

// startRollback goes back to the run before.
func (w *world) startRollback() {
	w.spawn("rollback", func(*task) {
		p, err := catalog.Rollback(context.Background(), w.store)
		if err == nil {
			w.saw(RolledBack)
			w.sawIf(RolledBackToNone, p.Current == nil)
		}
		w.trace("rollback: %v", err)
	})
}

// changeEdge records that two persons are one, or takes that back.
func (w *world) changeEdge() {
	all := slices.Concat(w.persons...)
	a, b := all[w.below(len(all))], all[w.below(len(all))]
	if a == b {
		return
	}
	e := event.Edge{ID1: a, ID2: b, TS: w.now}
	e.ID1, e.ID2 = e.Pair()
	pair := [2]string{e.ID1, e.ID2}
	if e.Retract = w.linked[pair]; e.Retract {
		delete(w.linked, pair)
	} else {
		w.linked[pair] = true
	}
	w.trace("edge %s - %s, taken back: %v", e.ID1, e.ID2, e.Retract)
	w.edges.Apply(e)
	w.sawIf(EdgeBehindRun, w.store.pointer.Current != nil)
}

// checkSwitch: queries may use a run only when its views are there, they are of
// its vector, and the vector is where its generation begins in each partition.
func (w *world) checkSwitch(old, p store.Pointer) {
	listed := func(g uint32) bool { return slices.Contains(p.Generations, g) }
	for _, run := range []*store.Run{p.Current, p.Previous} {
		if run != nil && !listed(run.Number) {
			w.fail("run %d can be read or rolled back to, and generation %d is not in the list %v", run.Number, run.Number, p.Generations)
		}
	}
	if old.Current != nil && (len(p.Generations) == 0 || p.Generations[0] > old.Current.Number) {
		w.fail("the run before is %d, the list of generations is %v", old.Current.Number, p.Generations)
	}
	run := p.Current
	if run == nil || old.Current != nil && old.Current.Number == run.Number {
		return
	}
	if w.layer.Oracle(run) == nil {
		w.fail("the pointer names run %d, whose views are not there", run.Number)
	}
	if len(run.Vector) != len(w.parts) {
		w.fail("run %d has the vector %v", run.Number, run.Vector)
		return
	}
	for _, v := range run.Vector {
		if begins := w.parts[v.Partition].begins[run.Number]; begins != v.Offset {
			w.fail("run %d absorbs partition %d up to %d, its generation begins at %d", run.Number, v.Partition, v.Offset, begins)
		}
	}
}

// checkDrop: nothing is dropped that a pointer may lead to.
func (w *world) checkDrop(g uint32) {
	if slices.Contains(w.store.pointer.Generations, g) {
		w.fail("generation %d is dropped, the list is %v", g, w.store.pointer.Generations)
	}
	w.saw(GenerationDropped)
}
