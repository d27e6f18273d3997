package microbatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"speedlayer/queue"
)

// PartitionState is how far a runner is with a partition, and what it waits for.
type PartitionState struct {
	Partition int32
	Position  int64     // offset of the next record; -1 until operator state is loaded
	Fault     error     // the last one since the position advanced; nil: none
	Since     time.Time // of the first of them
}

// health is the states of a runner's partitions. It logs faults at a bounded rate:
// the first at once, then sums, then that they are over. So a store that is away
// for an hour costs some lines, however many partitions wait for it.
type health struct {
	log *slog.Logger
	now func() time.Time
	// takeOver is the level of take-overs: a process that is alone takes over once, at its start.
	takeOver slog.Level
	mu       struct {
		sync.Mutex
		parts map[int32]*PartitionState
		// Of the faults that are not over:
		what     string // that does not answer
		since    time.Time
		said     time.Time
		failures int
		// A take-over under way: partitions that were assigned, and are not loaded.
		taking map[int32]bool
		taken  []int32
		began  time.Time
	}
}

// sumUpEvery is how often faults that go on are logged.
const sumUpEvery = 30 * time.Second

func newHealth(log *slog.Logger, now func() time.Time) *health {
	h := &health{log: log, now: now}
	h.mu.parts = make(map[int32]*PartitionState)
	h.mu.taking = make(map[int32]bool)
	return h
}

// begin enters a partition; end removes it.
func (h *health) begin(part int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.parts[part] = &PartitionState{Partition: part, Position: -1}
}

func (h *health) end(part int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.parts, part)
	h.tookOver(part, false)
	h.recovered()
}

// failed notes a fault of a partition that is tried again.
func (h *health) failed(part int32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	p := h.mu.parts[part]
	if p == nil {
		return // it was just revoked
	}
	if p.Fault == nil {
		p.Since = now
	}
	p.Fault = err
	h.mu.failures++
	switch {
	case h.mu.failures == 1:
		h.mu.what, h.mu.since, h.mu.said = faulty(err), now, now
		h.log.Warn(h.mu.what+" refuses, trying again", "partition", part, "err", err)
	case now.Sub(h.mu.said) >= sumUpEvery:
		h.mu.said = now
		h.log.Warn(h.mu.what+" still refuses", "partitions", h.waiting(), "for", now.Sub(h.mu.since).Round(time.Millisecond),
			"failures", h.mu.failures, "last", err)
	}
}

// assigned begins a take-over, which ends when all of its partitions are loaded.
func (h *health) assigned(parts []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mu.taking) == 0 {
		h.mu.began, h.mu.taken = h.now(), nil
	}
	for _, part := range parts {
		h.mu.taking[part] = true
	}
}

// tookOver notes that a partition is loaded, or was revoked before that, and logs
// the end of the take-over.
func (h *health) tookOver(part int32, loaded bool) {
	if !h.mu.taking[part] {
		return
	}
	delete(h.mu.taking, part)
	if loaded {
		h.mu.taken = append(h.mu.taken, part)
	}
	if len(h.mu.taking) == 0 && len(h.mu.taken) > 0 {
		slices.Sort(h.mu.taken)
		h.log.Log(context.Background(), h.takeOver, "took over partitions", "partitions", h.mu.taken, "took", h.now().Sub(h.mu.began).Round(time.Millisecond))
	}
}

// loaded sets the position of a processor that took over. It is not progress: what
// stopped the one before it may stop it too.
func (h *health) loaded(part int32, position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.mu.parts[part]; p != nil {
		p.Position = position
	}
	h.tookOver(part, true)
}

// progressed notes progress: the partition's faults are over.
func (h *health) progressed(part int32, position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.mu.parts[part]; p != nil {
		*p = PartitionState{Partition: part, Position: position}
		h.recovered()
	}
}

// recovered logs that no partition waits any more.
func (h *health) recovered() {
	if h.mu.failures == 0 || h.waiting() > 0 {
		return
	}
	h.log.Info(h.mu.what+" answers again", "after", h.now().Sub(h.mu.since).Round(time.Millisecond), "failures", h.mu.failures)
	h.mu.failures = 0
}

// waiting is how many partitions have a fault.
func (h *health) waiting() (n int) {
	for _, p := range h.mu.parts {
		if p.Fault != nil {
			n++
		}
	}
	return n
}

// faulty names what an error is about.
func faulty(err error) string {
	if errors.Is(err, queue.ErrUnavailable) || errors.Is(err, queue.ErrOverloaded) || errors.As(err, new(*queue.ErrUnreadable)) {
		return "the queue"
	}
	return "the store"
}

// States lists the partitions that the runner works on now, in no order.
func (r *Runner) States() []PartitionState {
	r.health.mu.Lock()
	defer r.health.mu.Unlock()
	all := make([]PartitionState, 0, len(r.health.mu.parts))
	for _, p := range r.health.mu.parts {
		all = append(all, *p)
	}
	return all
}
