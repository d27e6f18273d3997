package topology

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"speedlayer/catalog"
	"speedlayer/store"
)

// A topology that has changed works on with what its store holds, if the steps that
// are still there mean what they meant. New and removed steps begin a generation
// (design, law 7); the results of the others are merged over generations.

// checkChange compares the definition with that of the store's newest generation.
func (s *running) checkChange(ctx context.Context, inStore string) error {
	now := s.settings(s.job.t)
	if inStore == now {
		return nil
	}
	was, err := parseSettings(inStore)
	if err != nil {
		return err
	}
	if was.Topology != s.job.t.name {
		return fmt.Errorf("the store has results of topology %q: give topology %s another place", was.Topology, s.job.t.name)
	}
	ever, _, err := s.steps(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.cells {
		meant, there := was.Cells[c.name]
		_, once := ever[c.name]
		switch {
		case there && meant != c.meaning():
			return fmt.Errorf("step %s means %q, but its stored results mean %q: give it another name, and it begins from here on", c.name, c.meaning(), meant)
		case !there && once:
			return fmt.Errorf("step %s was removed once, so its stored results have a gap: give it another name", c.name)
		case there && c.view == stateView:
			return fmt.Errorf("step %s keeps a state for each key, which does not go on in a new generation: leave the steps of By %s as they were (%v)",
				c.name, s.by.name, slices.Sorted(maps.Keys(was.Cells)))
		}
	}
	return nil
}

// checkCaughtUp refuses a change while records wait that the definition before this
// one has not processed: they belong to its generation.
func (s *running) checkCaughtUp(ctx context.Context, e store.Epoch) error {
	info, err := s.queue.Info(ctx)
	if err != nil {
		return err
	}
	for part := range e.Partitions {
		commit, _, err := catalog.Position(ctx, s.store, e, part)
		if err != nil {
			return err
		}
		if n := info.Stable[part] - commit; n > 0 {
			return fmt.Errorf("the topology changed, but the definition before has not processed %d records of partition %d: run that once more until it has settled", n, part)
		}
	}
	return nil
}

// stepsRow holds the meaning of every step that the store has ever had results of.
const stepsRow = "topology-steps"

func (s *running) steps(ctx context.Context) (ever map[string]string, row []byte, err error) {
	ever = map[string]string{}
	if row, err = s.store.Row(ctx, stepsRow); err != nil || row == nil {
		return ever, nil, err
	}
	if err := json.Unmarshal(row, &ever); err != nil {
		return nil, nil, fmt.Errorf("row %s of the store: %w", stepsRow, err)
	}
	return ever, row, nil
}

// noteSteps enters the steps in the row.
func (s *running) noteSteps(ctx context.Context) error {
	for {
		ever, row, err := s.steps(ctx)
		if err != nil {
			return err
		}
		missing := false
		for _, c := range s.cells {
			if _, ok := ever[c.name]; !ok {
				ever[c.name], missing = c.meaning(), true
			}
		}
		if !missing {
			return nil
		}
		b, err := json.Marshal(ever)
		if err != nil {
			return err
		}
		if won, err := s.store.SwapRow(ctx, stepsRow, row, b); won || err != nil {
			return err
		}
	}
}
