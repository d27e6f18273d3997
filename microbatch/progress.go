package microbatch

import (
	"context"
	"fmt"
	"sync"

	"speedlayer/queue"
)

// Progress is how far each partition is committed, for those who wait for it.
// Safe for concurrent use.
type Progress struct {
	mu struct {
		sync.Mutex
		committed []int64
		changed   chan struct{} // closed and replaced at each change
	}
}

// NewProgress starts with every partition at its given offset.
func NewProgress(committed []int64) *Progress {
	p := &Progress{}
	p.mu.committed = append([]int64(nil), committed...)
	p.mu.changed = make(chan struct{})
	return p
}

// Set says that a partition is committed up to offset.
func (p *Progress) Set(partition int32, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.committed[partition] >= offset {
		return
	}
	p.mu.committed[partition] = offset
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
}

// Committed returns all partitions' offsets.
func (p *Progress) Committed() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64(nil), p.mu.committed...)
}

// Changed is closed at the next change.
func (p *Progress) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.changed
}

// Wait returns when every position's record is queryable.
func (p *Progress) Wait(ctx context.Context, positions []queue.Position) error {
	for {
		p.mu.Lock()
		done, changed := true, p.mu.changed
		for _, at := range positions {
			if at.Partition < 0 || int(at.Partition) >= len(p.mu.committed) {
				p.mu.Unlock()
				return fmt.Errorf("partition %d is not one of %d", at.Partition, len(p.mu.committed))
			}
			if p.mu.committed[at.Partition] <= at.Offset {
				done = false
			}
		}
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
