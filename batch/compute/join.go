package compute

import "fmt"

// rankRows calls fn with the rows of a stream of all spills of the persons, and
// the rank of the url that their first two words name. While the urls are in
// memory the rank is looked up; else rows and ranks are sorted by hash, and
// joined.
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
