package views_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/views"
	"speedlayer/crdt"
)

// yearHours is a range of a year that begins and ends in the middle of a day.
const yearHours = 365 * 24

// BenchmarkYear reads a year of the busiest url: each of its hours has more visitors
// than a cell holds exactly. The baseline reads the same year hour by hour, as it
// would be without the larger granularities.
func BenchmarkYear(b *testing.B) {
	const from = 400_003
	cells := map[cell][]byte{}
	sketch := crowd(rand.New(rand.NewPCG(1, 1)))
	for _, url := range []string{"big.com", "other.com"} {
		for _, g := range views.Granularities {
			for bucket := g.Bucket(from); bucket <= g.Bucket(from+yearHours); bucket++ {
				cells[cell{views.Pageviews, g, url, bucket}] = crdt.AppendCount(nil, uint64(bucket))
				cells[cell{views.Bounces, g, url, bucket}] = views.Visits{Raw: 100, RawBounces: 50, Canonical: 90, CanonicalBounces: 40}.Append(nil)
				cells[cell{views.Uniques, g, url, bucket}] = sketch
			}
		}
	}
	dir := b.TempDir()
	write(b, vfs.Default, dir, run, 4, cells, nil)
	v, err := views.Open(dir)
	must(b, err)
	defer func() { must(b, v.Close()) }()
	b.Run("pageviews", func(b *testing.B) {
		for b.Loop() {
			must(b, count(v, views.Cover(from, from+yearHours, nil)))
		}
	})
	b.Run("pageviews-hour-by-hour", func(b *testing.B) {
		for b.Loop() {
			must(b, count(v, []views.Piece{{Granularity: views.Hour, From: from, To: from + yearHours}}))
		}
	})
	b.Run("uniques", func(b *testing.B) {
		var u crdt.Merger
		for b.Loop() {
			must(b, merge(v, views.Cover(from, from+yearHours, nil), &u))
		}
	})
	b.Run("uniques-hour-by-hour", func(b *testing.B) {
		var u crdt.Merger
		for b.Loop() {
			must(b, merge(v, []views.Piece{{Granularity: views.Hour, From: from, To: from + yearHours}}, &u))
		}
	})
	b.Run("bounces", func(b *testing.B) {
		for b.Loop() {
			var sum views.Visits
			for _, p := range views.Cover(from, from+yearHours, nil) {
				must(b, v.Scan(views.Bounces, p.Granularity, "big.com", p.From, p.To, func(_ int32, value []byte) error {
					c, err := views.DecodeVisits(value)
					sum.Add(c)
					return err
				}))
			}
		}
	})
}

func crowd(r *rand.Rand) []byte {
	v := &crdt.Visitors{}
	for range 10_000 {
		v.Add(r.Uint64())
	}
	return v.Append(nil)
}

func count(v *views.Views, pieces []views.Piece) error {
	var sum uint64
	for _, p := range pieces {
		err := v.Scan(views.Pageviews, p.Granularity, "big.com", p.From, p.To, func(_ int32, value []byte) error {
			n, err := crdt.Count(value)
			sum += n
			return err
		})
		if err != nil {
			return err
		}
	}
	if sum == 0 {
		return fmt.Errorf("nothing in %v", pieces)
	}
	return nil
}

func merge(v *views.Views, pieces []views.Piece, u *crdt.Merger) error {
	u.Reset()
	for _, p := range pieces {
		err := v.Scan(views.Uniques, p.Granularity, "big.com", p.From, p.To, func(_ int32, value []byte) error { return u.Add(value, v.Canonical) })
		if err != nil {
			return err
		}
	}
	_, _, _, err := u.Estimate()
	return err
}
