package catalog

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/record"
	"speedlayer/store"
)

// Log is what the protocol needs of the queue.
type Log interface {
	// AppendMarker returns when the record is durable in the partition.
	AppendMarker(ctx context.Context, partition int32, value []byte) error
}

// ErrNoGeneration: a fresh store. Its first log epoch makes the first generation.
var ErrNoGeneration = errors.New("catalog: the store has no generation yet: its log epoch comes first")

// Settings returns the settings of the newest generation; those given if the
// store is fresh.
func Settings(ctx context.Context, st store.Control, fresh record.Settings) (record.Settings, error) {
	p, err := st.Pointer(ctx)
	if err != nil || p.Settings == "" {
		return fresh, err
	}
	return record.ParseSettings(p.Settings)
}

// EnsureSettings begins a generation with the settings if the newest one has
// others, and finishes the beginning of one that a crash left half done. It
// returns the newest generation, and whether it began that. Any number of
// processes may call it at once: each step is a compare-and-set, or a marker, of
// which only the first counts.
//
// The order is the protocol's: take a number, make the table, enter the list,
// append the markers. So a processor never meets a marker without a table, and
// a query never misses a generation that has events.
func EnsureSettings(ctx context.Context, st store.Control, log Log, partitions int32, s record.Settings) (generation uint32, began bool, err error) {
	for range attempts {
		// Ours or another's, done or half done: appending again is harmless.
		p, err := Mark(ctx, st, log, partitions)
		if err != nil {
			return 0, false, err
		}
		if p.Settings == s.String() {
			return Newest(&p), began, nil
		}
		err = enter(ctx, st, p, s)
		began = began || err == nil // else another process may have
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return 0, false, err
		}
	}
	return 0, false, fmt.Errorf("%w: gave up after %d attempts to begin a generation", store.ErrConflict, attempts)
}

// enter takes the next number, makes its table and enters it in the list. Nobody
// may have changed the row since p: another generation would have come between.
func enter(ctx context.Context, st store.Control, p store.Pointer, s record.Settings) error {
	number := p.Next
	taken, err := UpdateFrom(ctx, st, p, func(p *store.Pointer) { p.Next++ })
	if err != nil {
		return err
	}
	if err := st.CreateGeneration(ctx, number); err != nil {
		return fmt.Errorf("table of generation %d: %w", number, err)
	}
	_, err = UpdateFrom(ctx, st, taken, func(p *store.Pointer) {
		List(p, number)
		p.Settings = s.String()
	})
	return err
}

// Newest is the newest generation of a pointer row that has one.
func Newest(p *store.Pointer) uint32 { return p.Generations[len(p.Generations)-1] }

// List enters a generation in the list. Its markers are to follow.
func List(p *store.Pointer, number uint32) {
	p.Generations = append(p.Generations, number)
	p.Marked = false
}

// Mark appends the markers of the newest generation to every partition, unless
// the pointer row has them. It returns the row.
func Mark(ctx context.Context, st store.Control, log Log, partitions int32) (store.Pointer, error) {
	return Update(ctx, st, func(p *store.Pointer) (bool, error) {
		switch {
		case len(p.Generations) == 0:
			return false, ErrNoGeneration
		case p.Marked:
			return false, nil
		}
		if err := AppendMarkers(ctx, log, partitions, p); err != nil {
			return false, err
		}
		p.Marked = true
		return true, nil
	})
}

// AppendMarkers appends the marker of the newest generation to every partition.
func AppendMarkers(ctx context.Context, log Log, partitions int32, p *store.Pointer) error {
	s, err := record.ParseSettings(p.Settings)
	if err != nil {
		return err
	}
	newest := Newest(p)
	m := record.Marker{Generation: newest, Settings: &s, Run: p.Running != nil && p.Running.Number == newest}
	for part := range partitions {
		if err := log.AppendMarker(ctx, part, m.Append(nil)); err != nil {
			return fmt.Errorf("marker of generation %d in partition %d: %w", m.Generation, part, err)
		}
	}
	return nil
}
