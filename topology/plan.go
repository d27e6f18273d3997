package topology

import (
	"context"

	"speedlayer/microbatch"
	"speedlayer/store"
)

// Stage is the part of a topology that reads one topic, for a scheduler that plans
// ranges of partitions itself (microbatch.Partition). Run needs nothing of it.
type Stage struct {
	t     *Topology
	stage *stage
}

// Stages returns the stages of a topology without mistakes: first that of the
// source, then one for each By that forwards events.
func (t *Topology) Stages() []Stage {
	all := make([]Stage, len(t.stages))
	for i, g := range t.stages {
		all[i] = Stage{t, g}
	}
	return all
}

// Topic is the topic that the stage reads.
func (s Stage) Topic() string { return s.stage.topic }

// Settings are the operator's part of the settings of the stage's generations: what
// its cells mean.
func (s Stage) Settings() string { return s.stage.settings(s.t) }

// Operator returns an operator with no memory of the past, for one processor.
// partitions are those of each stage's topic; those of a By's topic never change.
func (s Stage) Operator(partitions []int32, l Limits) microbatch.Operator {
	return newOperator(s.t, s.stage, partitions, l)
}

// Read opens the results that the stages' stores hold. The stores stay open.
func Read(ctx context.Context, t *Topology, stores []store.Store) (*Snapshot, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	return snapshot(ctx, t, stores)
}

// Views are the kinds of cells that topologies keep, for a store that must know them
// before: hbase.Options has a field for them.
func Views() []store.ViewID { return []store.ViewID{countView, uniqueView, sumView, stateView} }
