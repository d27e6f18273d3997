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
		epoch     store.Epoch // without an id of the topic until Begin
		committed []int64
		waiting   int           // callers of Wait
		changed   chan struct{} // closed and replaced at each change
	}
}

// NewProgress starts with every partition at its given offset.
func NewProgress(committed []int64) *Progress {
	p := &Progress{}
	p.mu.epoch = store.Epoch{Partitions: int32(len(committed)), Starts: append([]int64(nil), committed...)}
	p.mu.committed = append([]int64(nil), committed...)
	p.mu.changed = make(chan struct{})
	return p
}

// Begin notes that another log epoch has begun, with these commits. Who waits for
// a position of a topic that was recreated is told that it is gone.
func (p *Progress) Begin(e store.Epoch, committed []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.epoch = e
	p.mu.committed = append(p.mu.committed[:0:0], committed...)
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
}

// Waiting reports whether anyone waits for a position.
func (p *Progress) Waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.waiting > 0
}

// errTopicGone: what is waited for lay in a topic that is no longer there.
var errTopicGone = errors.New("microbatch: the topic was recreated meanwhile")

// Set notes that a partition is committed up to offset.
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

// Wait returns when the partitions are committed past every position. Whoever waits
// for records that may be rerouted to other partitions calls WaitCounted.
func (p *Progress) Wait(ctx context.Context, positions []queue.Position) error {
	w, err := pastPositions(positions)
	if err != nil {
		return err
	}
	_, err = p.awaitOffsets(ctx, p.topic(), w)
	return err
}

// wanted is the offset up to which each partition must be committed.
type wanted map[int32]int64

// pastPositions wants every position's record to be committed.
func pastPositions(positions []queue.Position) (wanted, error) {
	w := make(wanted)
	for _, at := range positions {
		if at.Partition < 0 {
			return nil, fmt.Errorf("partition %d: allowed is 0 or more", at.Partition)
		}
		w[at.Partition] = max(w[at.Partition], at.Offset+1)
	}
	return w, nil
}

// topic is the id of the topic that the progress is of.
func (p *Progress) topic() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.epoch.TopicID
}

// awaitOffsets returns when each partition is committed as far as is wanted, and in which
// log epoch it found that.
func (p *Progress) awaitOffsets(ctx context.Context, topic string, w wanted) (store.Epoch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.waiting++
	defer func() { p.mu.waiting-- }()
	for {
		if p.mu.epoch.TopicID != topic {
			return p.mu.epoch, errTopicGone
		}
		if w.reached(p.mu.committed) {
			return p.mu.epoch, nil
		}
		changed := p.mu.changed
		p.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.mu.Lock()
		if err != nil {
			return p.mu.epoch, err
		}
	}
}

func (w wanted) reached(committed []int64) bool {
	for part, offset := range w {
		// A partition that is new is one of the next log epoch.
		if int(part) >= len(committed) || committed[part] < offset {
			return false
		}
	}
	return true
}
