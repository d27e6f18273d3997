package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"speedlayer/query"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// errGone: the views of a run are not there.
var errGone = errors.New("batch: no such run")

// Log is the log of one shard, up to a vector.
type Log struct {
	Options oracle.Options
	Records []oracle.Record
}

// Layer does the work of batch runs, as batch.Job wants it, and opens their
// views, as query.Config wants it. Results are durable: they survive whoever made
// them. Safe for concurrent use.
type Layer struct {
	// Logs are the logs of all shards below a vector, in the order of the shards;
	// an error is a hole.
	Logs func(vector []store.VectorEntry) ([]Log, error)
	// Edges are those that hold when a run is computed; nil: none.
	Edges func() [][2]string
	// Wait is called before each step of the work, and may fail it; may be nil.
	Wait func(step string) error

	mu   sync.Mutex
	runs map[string]*result // by name
	made int                // names given
}

type result struct {
	run   store.Run
	base  *oracle.Base
	views *Views
}

func (l *Layer) wait(step string) error {
	if l.Wait == nil {
		return nil
	}
	return l.Wait(step)
}

// Cover implements batch.Job.
func (l *Layer) Cover(_ context.Context, run store.Run) error {
	if err := l.wait("archive"); err != nil {
		return err
	}
	_, err := l.Logs(run.Vector)
	return err
}

// Compute implements batch.Job.
func (l *Layer) Compute(_ context.Context, run store.Run) (string, error) {
	if err := l.wait("compute"); err != nil {
		return "", err
	}
	logs, err := l.Logs(run.Vector)
	if err != nil {
		return "", err
	}
	var edges [][2]string
	if l.Edges != nil {
		edges = l.Edges()
	}
	b := oracle.NewBatch()
	for _, log := range logs {
		b.Add(log.Options, log.Records)
	}
	for _, e := range edges {
		b.Link(e[0], e[1])
	}
	base := b.Base()
	r := &result{run, base, NewViews(base)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs == nil {
		l.runs = map[string]*result{}
	}
	// Two processes may make one run, with the edges that each knew.
	l.made++
	name := fmt.Sprintf("%d-%d", run.Number, l.made)
	l.runs[name] = r
	return name, nil
}

// Check implements batch.Job.
func (l *Layer) Check(_ context.Context, run store.Run) error {
	if err := l.wait("check"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[run.Views]
	if r == nil || !slices.Equal(r.run.Vector, run.Vector) {
		return fmt.Errorf("%w: %d up to %v", errGone, run.Number, run.Vector)
	}
	return nil
}

// Keep implements batch.Job.
func (l *Layer) Keep(_ context.Context, runs []store.Run, next uint32) error {
	if err := l.wait("keep"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, r := range l.runs {
		if r.run.Number < next && !slices.ContainsFunc(runs, func(k store.Run) bool { return k.Views == name || k.Views == "" && k.Number == r.run.Number }) {
			delete(l.runs, name)
		}
	}
	return nil
}

// Copy has the results that are there now, and no more.
func (l *Layer) Copy() *Layer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Layer{Logs: l.Logs, Edges: l.Edges, Wait: l.Wait, runs: maps.Clone(l.runs), made: l.made}
}

// Runs are the numbers of the runs whose views are there, in any order.
func (l *Layer) Runs() (numbers []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.runs {
		numbers = append(numbers, r.run.Number)
	}
	return numbers
}

// Open opens the views of a run.
func (l *Layer) Open(_ context.Context, run store.Run) (query.Views, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.runs[run.Views]; r != nil {
		return r.views, nil
	}
	return nil, fmt.Errorf("%w: %d (%s)", errGone, run.Number, run.Views)
}

// Oracle is what a run must hold; nil without one.
func (l *Layer) Oracle(run *store.Run) *oracle.Base {
	l.mu.Lock()
	defer l.mu.Unlock()
	if run == nil || l.runs[run.Views] == nil {
		return nil
	}
	return l.runs[run.Views].base
}
