package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// The cells of domains are stored a second time, ordered by hour (law 1 holds for the
// copies as for the cells: each is written in the batch of its cell, with its bytes).
// Without them, to find the domains of one hour among a million would be a million
// seeks, because cells are ordered by url. A domain has one cell where its pages have
// many, so the copies are a small part of the store.
//
// A generation that was created by a version without copies has none: its domains are
// found among its cells.

// generation is what is known of a generation that was created.
type generation struct {
	live    bool // it was not dropped
	indexed bool // it has the copies
}

// row is the value of a generation's row.
func (g generation) row() []byte {
	switch {
	case !g.live:
		return []byte{0}
	case !g.indexed:
		return []byte{1}
	}
	return []byte{1, 1} // which earlier versions refuse to open
}

func parseGeneration(key, value []byte) (number uint32, g generation, err error) {
	g = generation{live: len(value) > 0 && value[0] == 1, indexed: len(value) == 2}
	if len(key) != 5 || !bytes.Equal(value, g.row()) {
		return 0, g, fmt.Errorf("%w: a generation's row of %d and %d bytes", store.ErrCorrupt, len(key), len(value))
	}
	return binary.BigEndian.Uint32(key[1:]), g, nil
}

func (s *Store) generation(g uint32) (have generation, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, known = s.mu.generations[g]
	return have, known
}

func (s *Store) setGeneration(number uint32, g generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.generations[number] = g
}

// Lengths of a copy's key before the domain, and after it.
const (
	domainHead = 1 + 4 + 4
	domainTail = 1 + 4 + 4
)

// indexes reports whether a cell is stored a second time.
func indexes(k *store.Key) bool {
	return k.View == store.DomainView && strings.IndexByte(k.URL, '/') < 0
}

func appendDomainKey(dst []byte, k *store.Key, s store.Shard) []byte {
	dst = appendDomainHour(dst, k.Generation, k.Hour)
	dst = append(append(dst, k.URL...), 0)
	return appendShard(dst, s)
}

func appendDomainHour(dst []byte, generation uint32, hour int32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, domainPrefix), generation)
	return binary.BigEndian.AppendUint32(dst, uint32(hour))
}

// parseDomainKey parses the key of a copy. c.URL aliases the key.
func parseDomainKey(key []byte, c *store.ScanCell) error {
	if len(key) < domainHead+domainTail || key[len(key)-domainTail] != 0 {
		return fmt.Errorf("%w: a domain's key of %d bytes", store.ErrCorrupt, len(key))
	}
	tail := key[len(key)-domainTail:]
	c.URL = key[domainHead : len(key)-domainTail]
	c.Hour = int32(binary.BigEndian.Uint32(key[5:]))
	c.Shard = store.Shard{Epoch: binary.BigEndian.Uint32(tail[1:]), Partition: int32(binary.BigEndian.Uint32(tail[5:]))}
	return nil
}

// ScanDomains implements store.DomainScanner.
func (r *reader) ScanDomains(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	g, _ := r.s.generation(rg.Generation)
	if g.indexed && rg.View == store.DomainView && rg.Prefix && rg.URL == "" && rg.FromURL == "" && rg.ToURL == "" {
		return r.scanIndex(ctx, rg, fn)
	}
	return r.scan(ctx, rg, true, fn)
}

// scanIndex reads the copies, by hour.
func (r *reader) scanIndex(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) (err error) {
	defer func() { err = r.s.named(err) }()
	if rg.From = max(rg.From, 0); rg.From >= rg.To {
		return nil
	}
	r.low = appendDomainHour(r.low[:0], rg.Generation, rg.From)
	r.high = appendDomainHour(r.high[:0], rg.Generation, rg.To)
	it, err := r.snap.NewIter(&pebble.IterOptions{LowerBound: r.low, UpperBound: r.high})
	if err != nil {
		return err
	}
	defer it.Close()
	var c store.ScanCell
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := parseDomainKey(it.Key(), &c); err != nil {
			return err
		}
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
	}
	return it.Error()
}
