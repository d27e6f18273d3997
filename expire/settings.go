package expire

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

// Settings returns the settings of the newest generation; those given if the
// store is fresh.
func Settings(ctx context.Context, st store.Store, fresh record.Settings) (record.Settings, error) {
	p, err := st.Pointer(ctx)
	if err != nil || p.Settings == "" {
		return fresh, err
	}
	return record.ParseSettings(p.Settings)
}

// EnsureSettings begins a generation with the settings if the newest one has
// others, and finishes the beginning of one that a crash left half done. It
// says which generation it began. Any number of processes may call it at once:
// each step is a compare-and-set, or a marker, of which only the first counts.
//
// The order is the protocol's: take a number, make the table, enter the list,
// append the markers. So a processor never meets a marker without a table, and
// a query never misses a generation that has events.
func EnsureSettings(ctx context.Context, st store.Store, log Log, partitions int32, s record.Settings) (generation uint32, began bool, err error) {
	for {
		p, err := st.Pointer(ctx)
		if err != nil {
			return 0, false, err
		}
		if len(p.Generations) == 0 {
			return 0, false, errors.New("expire: the store has no generation yet: its log epoch comes first")
		}
		newest := p.Generations[len(p.Generations)-1]
		switch {
		case !p.Marked:
			// Ours or another's, done or half done: appending again is harmless.
			err = mark(ctx, st, log, partitions, p)
		case p.Settings == s.String():
			return newest, began, nil
		default:
			err = enter(ctx, st, p, s)
			began = began || err == nil // else another process may have
		}
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return 0, false, err
		}
	}
}

// enter takes the next number, makes its table and enters it in the list.
func enter(ctx context.Context, st store.Store, p store.Pointer, s record.Settings) error {
	number := p.Next
	taken := p
	taken.Counter++
	taken.Next++
	if err := st.SwapPointer(ctx, p.Counter, taken); err != nil {
		return err
	}
	if err := st.CreateGeneration(ctx, number); err != nil {
		return fmt.Errorf("table of generation %d: %w", number, err)
	}
	entered := listed(taken, number)
	entered.Settings = s.String()
	return st.SwapPointer(ctx, taken.Counter, entered)
}

// listed is the pointer with one more generation, whose markers are to follow.
func listed(p store.Pointer, number uint32) store.Pointer {
	p.Counter++
	p.Generations = append(append([]uint32(nil), p.Generations...), number)
	p.Marked = false
	return p
}

// mark appends the marker of the newest generation to every partition.
func mark(ctx context.Context, st store.Store, log Log, partitions int32, p store.Pointer) error {
	if err := appendMarkers(ctx, log, partitions, p); err != nil {
		return err
	}
	done := p
	done.Counter++
	done.Marked = true
	return st.SwapPointer(ctx, p.Counter, done)
}

func appendMarkers(ctx context.Context, log Log, partitions int32, p store.Pointer) error {
	s, err := record.ParseSettings(p.Settings)
	if err != nil {
		return err
	}
	newest := p.Generations[len(p.Generations)-1]
	m := record.Marker{Generation: newest, Settings: &s, Run: p.Running != nil && p.Running.Number == newest}
	for part := range partitions {
		if err := log.AppendMarker(ctx, part, m.Append(nil)); err != nil {
			return fmt.Errorf("marker of generation %d in partition %d: %w", m.Generation, part, err)
		}
	}
	return nil
}
