package pebble

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// reader is one snapshot of the database.
type reader struct {
	s    *Store
	snap *pebble.Snapshot
	low  []byte // bounds of the current scan; reused by the next one
	high []byte
}

// Read implements store.Store.
func (s *Store) Read(context.Context) (store.Reader, error) {
	// The lock is shared with Apply, so that Close waits and no reader outlives
	// the database unnoticed.
	s.applying.RLock()
	defer s.applying.RUnlock()
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	return &reader{s: s, snap: s.db.NewSnapshot()}, nil
}

func (r *reader) Atomic() bool { return true }
func (r *reader) Close() error { return r.snap.Close() }

func (r *reader) Pointer(context.Context) (store.Pointer, error) {
	p, err := pointer(r.snap)
	return p, r.s.named(err)
}

func (r *reader) Epochs(context.Context) ([]store.Epoch, error) {
	all, err := epochs(r.snap)
	return all, r.s.named(err)
}

func (r *reader) Commits(context.Context) (all []store.ShardCommit, err error) {
	defer func() { err = r.s.named(err) }()
	it, err := r.snap.NewIter(&pebble.IterOptions{LowerBound: []byte{commitPrefix}, UpperBound: []byte{commitPrefix + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		c, err := parseCommit(it.Value())
		if err != nil {
			return nil, err
		}
		k := it.Key()
		all = append(all, store.ShardCommit{Commit: c, Shard: store.Shard{
			Epoch: binary.BigEndian.Uint32(k[1:]), Partition: int32(binary.BigEndian.Uint32(k[5:]))}})
	}
	return all, it.Error()
}

// Scan implements store.Reader. For one url the bounds hold exactly the requested
// hours. Under a prefix the scan visits the urls one by one; where a url has many
// hours outside of the range, the scan seeks past them.
func (r *reader) Scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	return r.scan(ctx, rg, false, fn)
}

// steps is how many cells in a row are skipped step by step, those of pages or of
// other hours, before the scan seeks what follows them: a seek costs as much as
// several steps.
const steps = 4

func (r *reader) scan(ctx context.Context, rg store.Range, domains bool, fn func(c *store.ScanCell) error) (err error) {
	defer func() { err = r.s.named(err) }()
	if rg.From >= rg.To {
		return nil
	}
	if rg.Prefix {
		first, end := rg.URLBounds()
		r.low = appendURLKey(r.low[:0], rg.Generation, rg.View, first)
		if r.high = appendURLKey(r.high[:0], rg.Generation, rg.View, end); end == "" {
			r.high = append(r.high[:0], after(r.high)...)
		}
	} else {
		r.low = appendURLKey(r.low[:0], rg.Generation, rg.View, rg.URL)
		r.high = binary.BigEndian.AppendUint32(append(append(r.high[:0], r.low...), 0), uint32(rg.To))
		r.low = binary.BigEndian.AppendUint32(append(r.low, 0), uint32(rg.From))
	}
	it, err := r.snap.NewIter(&pebble.IterOptions{LowerBound: r.low, UpperBound: r.high})
	if err != nil {
		return err
	}
	defer it.Close()
	var c store.ScanCell
	var seek []byte
	n, skipped := 0, 0
	for ok := it.First(); ok; {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key := it.Key()
		if err := parseCellKey(key, &c); err != nil {
			return err
		}
		slash := -1
		if domains {
			slash = bytes.IndexByte(c.URL, '/')
		}
		if outside := c.Hour < rg.From || c.Hour >= rg.To; outside || slash >= 0 {
			if skipped++; skipped <= steps {
				ok = it.Next()
				continue
			}
			switch seek = append(seek[:0], key[:len(key)-cellTail]...); {
			case slash >= 0:
				seek = append(seek[:cellHead+slash], '/'+1) // after all pages of the domain
			case c.Hour < rg.From:
				seek = binary.BigEndian.AppendUint32(append(seek, 0), uint32(rg.From))
			default:
				seek = append(seek, 1) // after all hours of this url
			}
			ok, skipped = it.SeekGE(seek), 0
			continue
		}
		skipped = 0
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if c.Version, c.Value, err = parseCellValue(value); err != nil {
			return err
		}
		if err := fn(&c); err != nil {
			return err
		}
		ok = it.Next()
	}
	return it.Error()
}
