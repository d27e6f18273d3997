package microbatch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"speedlayer/queue"
	"speedlayer/store"
)

// Progress is how far each partition is committed, for those who wait for it.
// Safe for concurrent use.
type Progress struct {
	mu struct {
		sync.Mutex
		topic     string // id; "" until Begin
		committed []int64
		waiting   int           // callers of Wait
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

// Begin says that another log epoch has begun, with these commits. Who waits for
// a position of a topic that was made anew is told that it is gone.
func (p *Progress) Begin(e store.Epoch, committed []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.topic = e.TopicID
	p.mu.committed = append(p.mu.committed[:0:0], committed...)
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
}

// Waiting says whether anyone waits for a position.
func (p *Progress) Waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.waiting > 0
}

// errTopicGone: what is waited for lay in a topic that is no longer there.
var errTopicGone = errors.New("microbatch: the topic was made anew meanwhile")

// Set says that a partition is committed up to offset.
func (p *Progress) Set(partition int32, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(partition) >= len(p.mu.committed) || p.mu.committed[partition] >= offset {
		return // of another log epoch, or not the newest
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
	p.mu.Lock()
	p.mu.waiting++
	topic := p.mu.topic
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mu.waiting--
	}()
	for {
		p.mu.Lock()
		done, changed := true, p.mu.changed
		if p.mu.topic != topic {
			p.mu.Unlock()
			return errTopicGone
		}
		for _, at := range positions {
			if at.Partition < 0 {
				p.mu.Unlock()
				return fmt.Errorf("partition %d: allowed is 0 or more", at.Partition)
			}
			// A partition that is new is one of the next log epoch.
			if int(at.Partition) >= len(p.mu.committed) || p.mu.committed[at.Partition] <= at.Offset {
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
