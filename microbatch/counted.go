package microbatch

import (
	"context"
	"time"

	"speedlayer/queue"
	"speedlayer/store"
)

// askAgain is how long WaitCounted waits for brokers that do not know all
// partitions yet.
const askAgain = 100 * time.Millisecond

// WaitCounted returns when every record is queryable. A record counts in its
// person's partition. One that was appended to another, since its producer knew
// another number of partitions, is rerouted; so it is queryable only when its copy is
// committed there. ends asks the brokers where the log ends now.
//
// The copy is followed by where the log ends: a commit is written after the copies
// of its records are acknowledged (law 4), so they lie below the end that is asked
// for then.
func (p *Progress) WaitCounted(ctx context.Context, records []queue.Position, ends func(context.Context) ([]int64, error)) error {
	w, err := pastPositions(records)
	if err != nil {
		return err
	}
	topic := p.topic()
	epoch, err := p.awaitOffsets(ctx, topic, w)
	if err != nil {
		return err
	}
	f := follow(records, epoch)
	for f.reroutes > 0 {
		now, err := endsOf(ctx, epoch, ends)
		if err != nil {
			return err
		}
		in, err := p.awaitOffsets(ctx, topic, f.upTo(now))
		if err != nil {
			return err
		}
		if in.Number == epoch.Number {
			f.rerouted(records, epoch)
			continue
		}
		// Another number of partitions: a copy may lie wrong again.
		epoch = in
		f = following{reroutes: 2}
	}
	return nil
}

// following is where copies of records may lie that do not count yet.
type following struct {
	reroutes int            // how often a copy must be followed: 0 if all count, at most 2
	targets  map[int32]bool // partitions where copies lie; nil: in any
}

// follow classifies records that are committed in an epoch. Those that lie where they
// count are done. Those that this epoch has rerouted lie in their person's partition.
// Those that were committed before this epoch began may have been rerouted by a number
// of partitions that is not known here: their copies may lie anywhere, and be rerouted
// once more.
func follow(records []queue.Position, e store.Epoch) following {
	f := following{targets: make(map[int32]bool)}
	for _, r := range records {
		if r.Offset < e.Starts[r.Partition] {
			return following{reroutes: 2}
		}
		if home, known := r.Home(e.Partitions); !known || home != r.Partition {
			f.reroutes = 1
			f.add(r, e)
		}
	}
	return f
}

// rerouted notes that what lay in the targets is committed in epoch e: what remains
// was rerouted by it, to where it counts.
func (f *following) rerouted(records []queue.Position, e store.Epoch) {
	f.reroutes--
	f.targets = make(map[int32]bool)
	for _, r := range records {
		f.add(r, e)
	}
}

// add notes where the copy of a record lies if epoch e has rerouted it.
func (f *following) add(r queue.Position, e store.Epoch) {
	home, known := r.Home(e.Partitions)
	switch {
	case !known:
		f.targets = nil
	case f.targets != nil:
		f.targets[home] = true
	}
}

// upTo wants the targets to be committed up to where the log ends.
func (f *following) upTo(ends []int64) wanted {
	w := make(wanted)
	for part, end := range ends {
		if f.targets == nil || f.targets[int32(part)] {
			w[int32(part)] = end
		}
	}
	return w
}

// endsOf asks where the log ends until the answer has all partitions of an epoch: a
// broker may learn of new ones later than the one that the processors asked.
func endsOf(ctx context.Context, e store.Epoch, ends func(context.Context) ([]int64, error)) ([]int64, error) {
	for {
		now, err := ends(ctx)
		if err != nil || len(now) >= int(e.Partitions) {
			return now, err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
