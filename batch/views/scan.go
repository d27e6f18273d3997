package views

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/sstable"

	"speedlayer/store"
)

// Scan calls fn with the cells of one url in from <= bucket < to, ascending.
// value is valid during the call. An error of fn ends the scan and is wrapped.
func (v *Views) Scan(view store.ViewID, g Granularity, url string, from, to int32, fn func(bucket int32, value []byte) error) (err error) {
	if from >= to || to <= 0 {
		return nil
	}
	p := v.parts[PartOf([]byte(url), len(v.parts))]
	c, err := p.cursor(view, g, max(0, from), to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.seek(url); err != nil || !c.valid || string(c.url) != url {
		return err
	}
	return c.cells(fn)
}

// ScanURLs calls fn with the cells of all urls in fromURL <= url < toURL by
// bytes (to the last, if toURL is empty) with from <= bucket < to, in order of
// url and bucket. url and value are valid during the call. The pages of a
// domain are those from domain + "/" to domain + "0".
func (v *Views) ScanURLs(view store.ViewID, g Granularity, fromURL, toURL string, from, to int32, fn func(url []byte, bucket int32, value []byte) error) (err error) {
	if from >= to || to <= 0 {
		return nil
	}
	var all []*cursor // those that have urls left
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for _, p := range v.parts {
		c, err := p.cursor(view, g, max(0, from), to)
		if err != nil {
			return err
		}
		all = append(all, c)
		if err := c.seek(fromURL); err != nil {
			return err
		}
	}
	heap := cursorHeap(all)
	heap.init()
	for len(heap) > 0 && heap[0].valid {
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

// cursor goes through the urls of one view and granularity of a part.
type cursor struct {
	p        *part
	it       sstable.Iterator
	prefix   []byte // view and granularity
	from, to int32
	valid    bool
	url      []byte
	key      []byte // to seek by
	pack     []byte // of url, the first that may have cells of the range
	buf      []byte
}

func (p *part) cursor(view store.ViewID, g Granularity, from, to int32) (*cursor, error) {
	it, err := p.iterator()
	if err != nil {
		return nil, p.failed(err)
	}
	return &cursor{p: p, it: it, prefix: []byte{byte(view), byte(g)}, from: from, to: to}, nil
}

func (p *part) failed(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return fmt.Errorf("batch views: %s: %w", p.name, err)
	}
	return fmt.Errorf("batch views: %s: %w: %w", p.name, store.ErrCorrupt, err)
}

func (c *cursor) close() error { return c.p.give(c.it) }

// seek goes to the first url at or behind one that has a cell at or behind the
// range's begin.
func (c *cursor) seek(url string) error {
	c.key = appendKey(c.key[:0], store.ViewID(c.prefix[0]), Granularity(c.prefix[1]), url, c.from)
	for {
		if err := c.load(); err != nil || !c.valid {
			return err
		}
		// The key found may be of a later url, and a pack of it that ends below
		// the range: then this url is looked up itself.
		if bytes.Compare(c.key[:len(c.key)-4], c.foundPrefix()) == 0 {
			return nil
		}
		c.key = appendKey(c.key[:0], store.ViewID(c.prefix[0]), Granularity(c.prefix[1]), string(c.url), c.from)
	}
}

// foundPrefix is the prefix of the url that was found, built behind the key.
func (c *cursor) foundPrefix() []byte {
	c.buf = appendPrefix(c.buf[:0], store.ViewID(c.prefix[0]), Granularity(c.prefix[1]), string(c.url))
	return c.buf
}

// load seeks to c.key and reads what stands there.
func (c *cursor) load() error {
	kv := c.it.SeekGE(c.key, 0)
	if kv == nil {
		c.valid = false
		if err := c.it.Error(); err != nil {
			return c.p.failed(err)
		}
		return nil
	}
	return c.take(kv.K.UserKey, kv.InPlaceValue())
}

func (c *cursor) take(key, value []byte) error {
	if !bytes.HasPrefix(key, c.prefix) {
		c.valid = false
		return nil
	}
	url, err := keyURL(key)
	if err != nil {
		return c.p.failed(err)
	}
	c.url, c.pack, c.valid = append(c.url[:0], url...), value, true
	return nil
}

// next goes to the first url behind this one that seek would find.
func (c *cursor) next() error {
	// Keys of the url end in 0x00 and four bytes; 0x01 in its place is above all
	// of them and at or below those of urls that begin alike.
	c.key = append(append(append(c.key[:0], c.prefix...), c.url...), 1)
	if err := c.load(); err != nil || !c.valid {
		return err
	}
	return c.seek(string(c.url))
}

// cells calls fn with the cells of the url in the range.
func (c *cursor) cells(fn func(bucket int32, value []byte) error) error {
	for {
		more, err := unpack(c.pack, c.from, c.to, fn)
		if err != nil {
			if errors.Is(err, errPack) {
				return c.p.failed(err)
			}
			return err
		}
		if !more {
			return nil
		}
		kv := c.it.Next()
		if kv == nil {
			if err := c.it.Error(); err != nil {
				return c.p.failed(err)
			}
			return nil
		}
		url, err := keyURL(kv.K.UserKey)
		if err != nil {
			return c.p.failed(err)
		}
		if !bytes.HasPrefix(kv.K.UserKey, c.prefix) || !bytes.Equal(url, c.url) {
			return nil
		}
		c.pack = kv.InPlaceValue()
	}
}

// cursorHeap is a binary heap of cursors by url, those at their end last.
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
