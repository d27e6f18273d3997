package compute

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"

	"speedlayer/batch/archive"
	"speedlayer/batch/views"
	"speedlayer/event"
	"speedlayer/store"
)

// view is a row of the log that may be an event, hashed: nonce, person, ts,
// page, domain (the high half of each first).
type view [7]uint64

// scanner reads the log of one shard. It drops rows that are not events, as far as the
// record alone or its earlier position shows, hashes the others, and passes them on
// by canonical person. It also passes on the text of each url once in a while, for
// the stage that writes cells.
//
// Streams 0 to parts.persons-1 of its spill hold views. The next parts.urls streams
// hold urls: length u16, bytes.
type scanner struct {
	r        *runner
	out      *spillWriter
	c        counts
	rerouted map[store.Shard]int64 // highest offset seen, by where rows came from

	pages   []pageHash
	persons []personHash
	written [1 << 14]uint64 // hashes of urls passed on recently
}

type pageHash struct {
	known        bool
	page, domain xxh3.Uint128
}

type personHash struct {
	known bool
	part  int32
	raw   uint64
}

func scanName(s store.Shard) string { return fmt.Sprintf("scan-%d-%d", s.Epoch, s.Partition) }

// scan is the first stage, of one shard.
func (r *runner) scan(ctx context.Context, w *worker, v store.VectorEntry) (err error) {
	shard := shardOf(v)
	out, err := newSpill(r.fs, r.dir, scanName(shard), r.parts.persons+r.parts.urls, r.memory/4, &w.buffers)
	if err != nil {
		return err
	}
	s := &scanner{r: r, out: out, rerouted: map[store.Shard]int64{}}
	start, err := r.in.Log.Start(ctx, shard)
	if err == nil {
		err = r.in.Log.Scan(ctx, shard, start, v.Offset, s.batch)
	}
	if err != nil {
		out.abort()
		return fmt.Errorf("reading %v: %w", shard, err)
	}
	return out.finish(s.c)
}

func (s *scanner) batch(b *Batch) error {
	s.pages = renew(s.pages, b.Page.Texts.Len())
	s.persons = renew(s.persons, b.Person.Texts.Len())
	rerouted := b.Rerouted
	for i := range b.N {
		again := false
		if len(rerouted) > 0 && rerouted[0].Row == i {
			again = s.again(&rerouted[0], b.Kind[i])
			rerouted = rerouted[1:]
		}
		s.c.Rows++
		switch {
		case again:
			s.c.ReroutedAgain++
		case b.Kind[i] == archive.Pageview:
			if err := s.view(b, i); err != nil {
				return err
			}
		case b.Kind[i] == archive.Misplaced:
			s.c.Misplaced++
		case b.Kind[i] == archive.Marker:
			s.c.Markers++
		default:
			s.c.Rejected++
		}
	}
	s.r.progress.add(int64(b.N), int64(b.N))
	return nil
}

// renew returns n zeroed elements, in a's memory if they fit.
func renew[T any](a []T, n int) []T {
	if cap(a) < n {
		return make([]T, n)
	}
	a = a[:n]
	clear(a)
	return a
}

// again reports whether a rerouted row is ignored: a row at or below the highest offset
// seen from its source was rerouted a second time (law 5). Rejected rows count here;
// markers do not come from elsewhere.
func (s *scanner) again(m *archive.ReroutedRow, k archive.Kind) bool {
	if k == archive.Marker {
		return false
	}
	from := store.Shard{Epoch: m.Epoch, Partition: m.Partition}
	if last, had := s.rerouted[from]; had && m.Offset <= last {
		return true
	}
	s.rerouted[from] = m.Offset
	return false
}

// view passes row i on.
func (s *scanner) view(b *Batch, i int) error {
	number := func(t *Text) int32 {
		if t.Index != nil {
			return t.Index[i]
		}
		return int32(i)
	}
	n := number(&b.Page)
	page := &s.pages[n]
	if !page.known {
		if err := s.page(page, b.Page.Texts.Text(n)); err != nil {
			return fmt.Errorf("row at offset %d: %w", b.Offset[i], err)
		}
	}
	n = number(&b.Person)
	person := &s.persons[n]
	if !person.known {
		h := event.PersonHash(b.Person.Texts.Text(n))
		*person = personHash{true, int32(s.r.canonical.of(h) % uint64(s.r.parts.persons)), h}
	}
	row := view{event.NonceHash(b.Nonce.Texts.Text(number(&b.Nonce))), person.raw, uint64(b.TS[i]),
		page.page.Hi, page.page.Lo, page.domain.Hi, page.domain.Lo}
	to, err := s.out.room(int(person.part), len(row)*8)
	if err != nil {
		return err
	}
	s.out.put(int(person.part), appendWords(to, &row))
	return nil
}

// page hashes a page and its domain.
func (s *scanner) page(p *pageHash, text []byte) error {
	n := bytes.IndexByte(text, '/')
	if n < 0 || len(text) > event.MaxPage {
		return fmt.Errorf("%.80q is not a page", text)
	}
	p.known, p.page, p.domain = true, views.Hash(text), views.Hash(text[:n])
	if err := s.url(text, p.page); err != nil {
		return err
	}
	return s.url(text[:n], p.domain)
}

// url passes on the text of a url, unless it did so recently.
func (s *scanner) url(text []byte, h xxh3.Uint128) error {
	seen := &s.written[h.Lo%uint64(len(s.written))]
	if *seen == h.Lo {
		return nil
	}
	*seen = h.Lo
	stream := s.r.parts.persons + views.PartOf(h, s.r.parts.urls)
	to, err := s.out.room(stream, 2+len(text))
	if err != nil {
		return err
	}
	to = binary.LittleEndian.AppendUint16(to, uint16(len(text)))
	s.out.put(stream, append(to, text...))
	return nil
}

// urlsOf calls fn with the texts of a block.
func urlsOf(block []byte, fn func(url []byte) error) error {
	for len(block) > 0 {
		if len(block) < 2 || len(block) < 2+int(binary.LittleEndian.Uint16(block)) {
			return fmt.Errorf("a block of urls is cut off")
		}
		n := 2 + int(binary.LittleEndian.Uint16(block))
		if err := fn(block[2:n]); err != nil {
			return err
		}
		block = block[n:]
	}
	return nil
}
