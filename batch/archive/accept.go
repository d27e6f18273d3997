package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"speedlayer/store"
)

// ErrNoLoss: the range to be accepted is not a lost one.
var ErrNoLoss = errors.New("archive: no loss")

// Accepted records that a person has decided to go on without a range of records. It
// stays in the manifest.
type Accepted struct {
	At  int64  `json:"at"` // ms since 1970
	Why string `json:"why,omitempty"`
}

// AcceptLoss makes a loss count as covered from then on. Batch runs are no longer
// refused because of it, and their results lack its records. The caller must name a
// loss of the manifest exactly, so that nobody accepts a loss that they have not
// seen; any other range returns [ErrNoLoss]. Accepting it again changes nothing.
//
// It is a switch of the manifest like any other, so another archiver that is at work
// stands by for a while.
func (a *Archiver) AcceptLoss(ctx context.Context, shard store.Shard, from, to int64, why string, now time.Time) (*Manifest, error) {
	if err := a.take(ctx); err != nil {
		return nil, err
	}
	defer a.give()
	m, err := newest(ctx, a.cfg.Objects) // an invalid request changes nothing
	if err != nil {
		return nil, err
	}
	for {
		lost, err := m.loss(shard, from, to)
		if err != nil || lost.Accepted != nil {
			return m, err
		}
		if m, err = a.accept(ctx, shard, from, to, Accepted{At: now.UnixMilli(), Why: why}); err == nil || !errors.Is(err, errLost) {
			return m, err
		}
		if m, err = newest(ctx, a.cfg.Objects); err != nil { // another archiver has switched: look again
			return nil, err
		}
	}
}

func (a *Archiver) accept(ctx context.Context, shard store.Shard, from, to int64, as Accepted) (*Manifest, error) {
	a.m = nil // the newest manifest must be read again
	if err := a.takeOver(ctx); err != nil {
		a.m = nil
		return nil, err
	}
	next := a.m.clone()
	next.dropForgotten(a.m)
	lost, err := next.loss(shard, from, to)
	if err == nil {
		lost.Accepted = &as
		err = a.commit(ctx, next)
	}
	if err != nil {
		a.m = nil
		return nil, err
	}
	return a.m, a.forget(ctx)
}

// loss finds a loss by its exact range. The error lists the existing ones.
func (m *Manifest) loss(shard store.Shard, from, to int64) (*Lost, error) {
	l := m.log(shard)
	if l == nil {
		return nil, fmt.Errorf("%w: the archive has no %v", ErrNoLoss, shard)
	}
	var there []string
	for i := range l.Lost {
		if l.Lost[i].From == from && l.Lost[i].To == to {
			return &l.Lost[i], nil
		}
		there = append(there, fmt.Sprintf("[%d, %d)", l.Lost[i].From, l.Lost[i].To))
	}
	if there == nil {
		return nil, fmt.Errorf("%w: %v has lost nothing", ErrNoLoss, shard)
	}
	return nil, fmt.Errorf("%w: [%d, %d) of %v is none; lost are %s", ErrNoLoss, from, to, shard, strings.Join(there, ", "))
}

// accepted returns how far the accepted losses extend without a gap from an offset on.
func (l *Log) accepted(at int64) int64 {
	for _, lost := range l.Lost {
		if lost.Accepted != nil && lost.From <= at && at < lost.To {
			at = lost.To
		}
	}
	return at
}

// AcceptedLoss returns how many offsets below the vector are accepted as lost.
func (m *Manifest) AcceptedLoss(vector []store.VectorEntry) (n int64) {
	for _, v := range vector {
		l := m.log(store.Shard{Epoch: v.Epoch, Partition: v.Partition})
		if l == nil {
			continue
		}
		for _, lost := range l.Lost {
			if lost.Accepted != nil {
				n += max(0, min(lost.To, v.Offset)-lost.From)
			}
		}
	}
	return n
}
