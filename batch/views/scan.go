package views

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/sstable"

	"speedlayer/store"
)

// Scan calls fn with the cells of one url in from <= bucket < to, ascending.
// value is valid only during the call. An error of fn ends the scan and is wrapped.
func (v *Views) Scan(view store.ViewID, g Granularity, url string, from, to int32, fn func(bucket int32, value []byte) error) (err error) {
	if from >= to || to <= 0 {
		return nil
	}
	c, err := v.cursor(PartOf(Hash([]byte(url)), v.meta.Parts), view, g, from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.seek([]byte(url)); err != nil || !c.valid || string(c.url) != url {
		return err
	}
	return c.cells(fn)
}

// ScanURLs calls fn with the cells of all urls in fromURL <= url < toURL by
// bytes (without an upper bound if toURL is empty) with from <= bucket < to, in order
// of url and bucket. url and value are valid only during the call. The pages of a
// domain are those from domain + "/" to domain + "0". The scan ends with ctx, be there
// cells in the range or not.
func (v *Views) ScanURLs(ctx context.Context, view store.ViewID, g Granularity, fromURL, toURL string, from, to int32, fn func(url []byte, bucket int32, value []byte) error) (err error) {
	if from >= to || to <= 0 {
		return nil
	}
	var all []*cursor
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for part := range v.meta.Parts {
		c, err := v.cursor(part, view, g, from, to)
		if err != nil {
			return err
		}
		c.ctx = ctx
		all = append(all, c)
		if err := c.seek([]byte(fromURL)); err != nil {
			return err
		}
	}
	heap := cursorHeap(append([]*cursor(nil), all...))
	heap.init()
	for heap[0].valid {
		c := heap[0]
		if toURL != "" && string(c.url) >= toURL {
			return nil
		}
		if err := c.cells(func(bucket int32, value []byte) error { return fn(c.url, bucket, value) }); err != nil {
			return err
		}
		if err := c.next(); err != nil {
			return err
		}
		heap.down(0)
	}
	return nil
}

// ScanDomains is like ScanURLs for all domains, without their pages: it seeks past
// the pages of each domain instead of reading them.
func (v *Views) ScanDomains(ctx context.Context, view store.ViewID, g Granularity, from, to int32, fn func(domain []byte, bucket int32, value []byte) error) error {
	if from >= to || to <= 0 {
		return nil
	}
	for part := range v.meta.Parts {
		if err := v.scanDomains(ctx, part, view, g, from, to, fn); err != nil {
			return err
		}
	}
	return nil
}

func (v *Views) scanDomains(ctx context.Context, part int, view store.ViewID, g Granularity, from, to int32, fn func(domain []byte, bucket int32, value []byte) error) (err error) {
	c, err := v.cursor(part, view, g, from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.ctx = ctx
	if err := c.seek(nil); err != nil {
		return err
	}
	pages := 0 // in a row
	for c.valid {
		if slash := bytes.IndexByte(c.url, '/'); slash >= 0 {
			if pages++; pages <= nextSteps {
				if err := c.next(); err != nil {
					return err
				}
				continue
			}
			pages = 0
			c.key = append(append(c.key[:0], c.url[:slash]...), '/'+1)
			if err := errors.Join(c.load(), c.settle()); err != nil {
				return err
			}
			continue
		}
		pages = 0
		if err := c.cells(func(bucket int32, value []byte) error { return fn(c.url, bucket, value) }); err != nil {
			return err
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// cursor iterates over the urls of a table.
type cursor struct {
	r        *reader
	it       sstable.Iterator
	from, to int32
	valid    bool // there is a current pack:
	url      []byte
	last     int32           // last bucket of the pack
	pack     []byte          // owned by the iterator
	advanced bool            // reading cells has advanced to the next url
	key      []byte          // scratch
	ctx      context.Context // of a scan that may find nothing for long; nil: none
	taken    int             // packs
}

func (v *Views) cursor(part int, view store.ViewID, g Granularity, from, to int32) (*cursor, error) {
	if view < Pageviews || view > Bounces || g > Month {
		return nil, fmt.Errorf("batch views: view %d by granularity %d: allowed are 1 to 3 and 0 to 3", view, g)
	}
	r := v.tables[part*kinds+kind(view, g)]
	it, err := r.iterator()
	if err != nil {
		return nil, r.failed(err)
	}
	return &cursor{r: r, it: it, from: max(0, from), to: to}, nil
}

func (r *reader) failed(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return fmt.Errorf("batch views: %s: %w", r.name, err)
	}
	return fmt.Errorf("batch views: %s: %w: %w", r.name, store.ErrCorrupt, err)
}

func (c *cursor) close() error { return c.r.give(c.it) }

// seek moves to the first url at or after the given one that has a pack which ends
// at or after the begin of the range, and to the first such pack.
func (c *cursor) seek(url []byte) error {
	c.key = appendKey(c.key[:0], url, c.from)
	if err := c.load(); err != nil {
		return err
	}
	return c.settle()
}

// settle finds the begin of the range in the current url if its first pack ends
// before it, and in the next url if all its packs do. A few packs are skipped one by
// one, since urls with few packs are many.
func (c *cursor) settle() error {
	for n := 1; c.valid && c.last < c.from; n++ {
		if n%(nextSteps+1) > 0 {
			if err := c.advance(); err != nil {
				return err
			}
			continue
		}
		c.key = appendKey(c.key[:0], c.url, c.from)
		if err := c.load(); err != nil {
			return err
		}
	}
	return nil
}

// load seeks to c.key.
func (c *cursor) load() error {
	kv := c.it.SeekGE(c.key, 0)
	if kv == nil {
		return c.end()
	}
	return c.take(kv.K.UserKey, kv.InPlaceValue())
}

// advance moves to the next pack, of whatever url.
func (c *cursor) advance() error {
	kv := c.it.Next()
	if kv == nil {
		return c.end()
	}
	return c.take(kv.K.UserKey, kv.InPlaceValue())
}

func (c *cursor) take(key, value []byte) error {
	if c.taken++; c.ctx != nil && c.taken%1024 == 0 && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	url, last, err := splitKey(key)
	if err != nil {
		return c.r.failed(err)
	}
	c.url, c.last, c.pack, c.valid = append(c.url[:0], url...), last, value, true
	return nil
}

// end handles the end of the iterator: the end of the table, or an error.
func (c *cursor) end() error {
	c.valid = false
	if err := c.it.Error(); err != nil {
		return c.r.failed(err)
	}
	return nil
}

// nextSteps is how many packs, or pages of a domain, are skipped one by one before what
// follows them is sought.
const nextSteps = 4

// next moves to the first url after the current one that seek would find.
func (c *cursor) next() error {
	if c.advanced {
		c.advanced = false
		return c.settle()
	}
	for range nextSteps {
		advanced, err := c.step()
		if err != nil {
			return err
		}
		if advanced {
			return c.settle()
		}
	}
	// Keys of the url end in 0x00 and four bytes. With 0x01 in that place, the key is
	// above all of them, and not above those of longer urls with the same beginning.
	c.key = append(append(c.key[:0], c.url...), 1)
	if err := c.load(); err != nil {
		return err
	}
	return c.settle()
}

// step moves to the next pack. It reports whether that belongs to another url or
// does not exist.
func (c *cursor) step() (advanced bool, err error) {
	kv := c.it.Next()
	if kv == nil {
		return true, c.end()
	}
	if n := len(kv.K.UserKey) - keyTail; n == len(c.url) && bytes.Equal(kv.K.UserKey[:n], c.url) {
		c.pack = kv.InPlaceValue()
		return false, nil
	}
	return true, c.take(kv.K.UserKey, kv.InPlaceValue())
}

// cells calls fn with the cells of the url in the range.
func (c *cursor) cells(fn func(bucket int32, value []byte) error) error {
	for {
		more, err := unpack(c.pack, c.from, c.to, fn)
		if errors.Is(err, errPack) {
			return c.r.failed(err)
		}
		if err != nil || !more {
			return err
		}
		if c.advanced, err = c.step(); err != nil || c.advanced {
			return err
		}
	}
}

// cursorHeap is a binary heap of cursors by url; cursors at their end come last.
type cursorHeap []*cursor

func (h cursorHeap) less(i, j int) bool {
	if !h[i].valid || !h[j].valid {
		return h[i].valid
	}
	return bytes.Compare(h[i].url, h[j].url) < 0
}

func (h cursorHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h cursorHeap) down(i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
