package compute

import "fmt"

// rankRows calls fn with every row of a stream, together with the rank of the URL
// that the row's first two words (its hash) name. Ranks number the URLs of a run in
// the order of their text, and exist only after all URLs have been seen.
//
// It is a join of two relations on the hash: the rows, spilled by person, and the
// table hash -> rank. There are two ways:
//
//   - The table fits into memory: each row is looked up as it is read.
//   - It does not: both sides are sorted by hash and merged. byURL sorts the rows,
//     in bounded memory and with runs on disk; ranks are sorted already.
//
// Looking ranks up on disk instead would cost one random read a row, and there are
// several rows for each pageview of the archive. Sorting costs two sequential
// passes.
//
// A hash that is counted but not named is an error, never skipped: it would mean
// that the two stages read different logs.
func rankRows[T words](c *celler, w *worker, stream int, byURL *sorter[T], fn func(rank uint32, row *T) error) (err error) {
	take := byURL.add
	if c.urls.inMemory() {
		take = func(row *T) error {
			rank, err := c.urls.rank((*row)[0], (*row)[1])
			if err != nil {
				return err
			}
			return fn(rank, row)
		}
	}
	for _, s := range c.r.people {
		w.block, err = s.each(stream, w.block, func(block []byte) error { return rowsOf(block, take) })
		if err != nil {
			return err
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	if c.urls.inMemory() {
		return nil
	}
	if err := joinRanks(byURL, c.urls.names.ranks, fn); err != nil {
		return err
	}
	return byURL.reset()
}

// joinRanks merges rows and ranks, which are both in the order of the hash.
//
// Invariant: at is the first rank whose hash is not below that of any row seen so
// far. Rows come in ascending order, so at only moves forward, and rows with equal
// hashes (many pageviews of one URL) meet the same rank.
func joinRanks[T words](rows *sorter[T], ranks *sorter[ranked], fn func(rank uint32, row *T) error) error {
	all, err := ranks.cursor()
	if err != nil {
		return err
	}
	defer all.close()
	var at *ranked
	return rows.each(func(row *T) error {
		hi, lo := (*row)[0], (*row)[1]
		for at == nil || at[0] < hi || at[0] == hi && at[1] < lo {
			if at, err = all.next(); err != nil {
				return err
			}
			if at == nil {
				break
			}
		}
		if at == nil || at[0] != hi || at[1] != lo {
			return fmt.Errorf("url %x%016x was counted but not named", hi, lo)
		}
		return fn(uint32(at[2]), row)
	})
}
