package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/hbase"
	"speedlayer/view"
)

// site is a store of its own in HBase, with processors that share it, over the
// log that all sites share.
type site struct {
	servers   *servers
	prefix    string
	processes int
	store     *hbase.Store
	settings  record.Settings
	members   []*member
}

// newSite opens a fresh store. No processor runs yet.
func (c *servers) newSite(ctx context.Context, prefix string, processes int) (*site, error) {
	st, err := c.openStore(ctx, prefix)
	if err != nil {
		return nil, err
	}
	s := &site{servers: c, prefix: prefix, processes: processes, store: st, settings: view.Defaults()}
	c.sites = append(c.sites, s)
	return s, nil
}

func (c *servers) openStore(ctx context.Context, prefix string) (*hbase.Store, error) {
	return hbase.Open(ctx, hbase.Options{Quorum: []string{c.cluster.ZooKeeper()}, Prefix: prefix, Logger: c.o.Logger})
}

// launch starts processors until there are n, and waits until they are ready.
func (s *site) launch(ctx context.Context, n int) error {
	for i := len(s.members); i < n; i++ {
		m, err := s.startMember(fmt.Sprintf("%s-%d", s.prefix, i+1), "processor")
		if err != nil {
			return err
		}
		s.members = append(s.members, m)
	}
	for _, m := range s.members {
		if err := m.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all processors gracefully.
func (s *site) stop(ctx context.Context) error {
	var errs []error
	for _, m := range s.members {
		errs = append(errs, m.Stop(ctx))
	}
	s.members = nil
	return errors.Join(errs...)
}

func (s *site) close() error {
	var errs []error
	for _, m := range s.members {
		errs = append(errs, m.Kill())
	}
	return errors.Join(append(errs, s.store.Close())...)
}

// beginGeneration has a processor begin one, as it does when its settings differ
// from the store's. It is one processor, so that its number is the next: all
// sites read the markers of all, and must know each number that they see.
func (s *site) beginGeneration(ctx context.Context) error {
	before, err := s.store.Pointer(ctx)
	if err != nil {
		return err
	}
	s.settings.DedupeEntries++
	if err := s.launch(ctx, 1); err != nil {
		return err
	}
	after, err := s.store.Pointer(ctx)
	if err == nil && after.Generations[len(after.Generations)-1] != before.Next {
		err = fmt.Errorf("generations %v became %v: %d was to begin", before.Generations, after.Generations, before.Next)
	}
	return errors.Join(err, s.stop(ctx))
}

// committed is up to where each partition is, in the newest log epoch, and what
// that counts; nil before there is one.
func (s *site) committed(ctx context.Context) (offsets []int64, counts store.CommitRecord, err error) {
	r, err := s.store.Read(ctx)
	if err != nil {
		return nil, counts, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	commits, err := r.Commits(ctx)
	if err != nil {
		return nil, counts, err
	}
	offsets = make([]int64, partitions)
	for _, c := range commits {
		if c.Shard.Epoch != 0 {
			return nil, counts, fmt.Errorf("log epoch %d has begun: the measurement is void", c.Shard.Epoch)
		}
		offsets[c.Shard.Partition] = c.Commit.Offset
		rec, err := store.DecodeCommitRecord(c.Commit.Record)
		if err != nil {
			return nil, counts, err
		}
		counts.Records += rec.Records
		counts.Events += rec.Events
		counts.Duplicates += rec.Duplicates
		// Markers of another site are rejected: they have the signature of its store.
		counts.Markers += rec.Markers + rec.MarkersIgnored + rec.Rejected
	}
	return offsets, counts, nil
}

const (
	siteLook  = 50 * time.Millisecond // pause between two looks at the commits
	sitePatch = time.Minute           // for how long nothing may come of them: HBase is busy, and answers within 3 s or not at all
)

// reached waits until enough says yes to what is committed, or a processor ends.
func (s *site) reached(ctx context.Context, enough func(offsets []int64) bool) error {
	return s.look(ctx, func(offsets []int64, _ store.CommitRecord) bool { return enough(offsets) })
}

// counts are what the commits count.
func (s *site) counts(ctx context.Context) (c store.CommitRecord, err error) {
	err = s.look(ctx, func(_ []int64, counts store.CommitRecord) bool { c = counts; return true })
	return c, err
}

func (s *site) look(ctx context.Context, enough func(offsets []int64, counts store.CommitRecord) bool) error {
	seen := time.Now()
	for {
		offsets, counts, err := s.committed(ctx)
		switch {
		case err == nil && enough(offsets, counts):
			return nil
		case err == nil:
			seen = time.Now()
		case time.Since(seen) > sitePatch:
			return err
		}
		for _, m := range s.members {
			if !m.Running() {
				return m.Ended()
			}
		}
		select {
		case <-time.After(siteLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// offsets is how much of the log is committed, over all partitions.
func (s *site) offsets(ctx context.Context) (n int64, err error) {
	err = s.reached(ctx, func(offsets []int64) bool { n = sum(offsets); return true })
	return n, err
}

// atLeast notes that each partition is committed up to ends.
func atLeast(ends []int64) func([]int64) bool {
	return func(offsets []int64) bool {
		for part, end := range ends {
			if offsets[part] < end {
				return false
			}
		}
		return true
	}
}
