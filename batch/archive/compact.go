package archive

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"speedlayer/queue"
)

// fan is how many small files become one: files of a day that still grows are
// merged when so many adjacent ones have about the same size or are smaller. So a
// record is rewritten once for each factor of fan between the smallest and the
// largest files.
const fan = 8

// Compact merges small files and rewrites outdated ones until nothing is left to
// do.
func (a *Archiver) Compact(ctx context.Context) (*Manifest, error) {
	return a.compact(ctx, math.MaxInt)
}

// compact is like Compact, but rewrites at most so many outdated files, because it
// holds the turn of the archiver during that time.
func (a *Archiver) compact(ctx context.Context, rewrites int) (*Manifest, error) {
	if err := a.take(ctx); err != nil {
		return nil, err
	}
	defer a.give()
	pick := func(files []File) (first, n int) { return mergeable(files, a.cfg.CompactRows) }
	for {
		more, err := a.compactOnce(ctx, pick)
		if err == nil && !more && rewrites > 0 {
			rewrites--
			more, err = a.compactOnce(ctx, firstOutdated)
		}
		if err != nil {
			a.m = nil
			return nil, fmt.Errorf("compacting: %w", err)
		}
		if !more {
			return a.m, nil
		}
	}
}

// picker finds n adjacent files to merge into one; 0 means none.
type picker func(files []File) (first, n int)

// compactOnce merges the first files that pick finds, if there are any.
func (a *Archiver) compactOnce(ctx context.Context, pick picker) (done bool, err error) {
	if a.m == nil {
		if err := a.takeOver(ctx); err != nil {
			return false, err
		}
	}
	next := a.m.clone()
	next.dropForgotten(a.m)
	for i := range next.Shards {
		if l := &next.Shards[i]; !done {
			if done, err = compactLog(ctx, a, a.rows, queue.TopicPageviews, l, next, pick); err != nil {
				return false, fmt.Errorf("%v: %w", l.Shard(), err)
			}
		}
	}
	for i := range next.Equivs {
		if l := &next.Equivs[i]; !done {
			if done, err = compactLog(ctx, a, a.edges, queue.TopicEquivs, l, next, pick); err != nil {
				return false, fmt.Errorf("topic %s: %w", queue.TopicEquivs, err)
			}
		}
	}
	if !done {
		return false, nil
	}
	if err := a.commit(ctx, next); err != nil {
		return false, err
	}
	return true, a.forget(ctx)
}

// compactLog merges several files of a log in the next manifest.
func compactLog[T any](ctx context.Context, a *Archiver, w *dataWriter[T], topic string, l *Log, next *Manifest, pick picker) (bool, error) {
	first, n := pick(l.Files)
	if n == 0 {
		return false, nil
	}
	old := l.Files[first : first+n]
	merged := File{From: old[0].From, To: old[n-1].To, Day: old[0].Day}
	merged.Name = a.newName(topic, l.Shard(), &merged)
	if err := w.begin(); err != nil {
		return false, err
	}
	for _, f := range old {
		if err := eachRows(ctx, a.cfg.Objects, f, w.write); err != nil {
			return false, err
		}
		merged.Rows += f.Rows
	}
	if err := w.finish(ctx, a.cfg.Objects, l.Shard(), &merged); err != nil {
		return false, err
	}
	for _, f := range old {
		next.Retired = append(next.Retired, Retired{Name: f.Name, Number: a.m.Number + 1})
	}
	l.Files = slices.Replace(l.Files, first, first+n, merged)
	return true, nil
}

func firstOutdated(files []File) (first, n int) {
	for i := range files {
		if files[i].outdated() {
			return i, 1
		}
	}
	return 0, 0
}

// mergeable finds adjacent files of one day to merge: all files of a day that is
// over, otherwise fan files of about the same size; none larger than maxRows.
func mergeable(files []File, maxRows int64) (first, n int) {
	for i := 0; i < len(files); {
		j := i + 1
		for j < len(files) && files[j].Day == files[i].Day && files[j].From == files[j-1].To {
			j++
		}
		least, over := fan, j < len(files)
		if over {
			least = 2
		}
		if at, n := run(files[i:j], least, over, maxRows); n > 0 {
			return i + at, n
		}
		i = j
	}
	return 0, 0
}

// run finds at least so many adjacent files that have at most maxRows together. Unless
// any tier will do, they are of one tier or below. It looks at low tiers first.
func run(files []File, least int, anyTier bool, maxRows int64) (first, n int) {
	tiers := 64 / 3
	for tier := range tiers + 1 {
		if anyTier {
			tier = tiers
		}
		first, rows := 0, int64(0)
		for i := 0; i <= len(files); i++ {
			if i < len(files) && tierOf(files[i].Rows) <= tier && rows+files[i].Rows <= maxRows {
				rows += files[i].Rows
				continue
			}
			if i-first >= least {
				return first, i - first
			}
			if i == len(files) {
				break
			}
			first, rows = i, files[i].Rows
			if tierOf(files[i].Rows) > tier {
				first, rows = i+1, 0
			}
		}
		if anyTier {
			break
		}
	}
	return 0, 0
}

// tierOf returns the number of factors of fan in the rows of a file.
func tierOf(rows int64) int { return bits.Len64(uint64(rows)) / 3 }
