package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// rows checks that exactly one of the callers who expect the same bytes sets a row,
// and that rows stay.
func (s *suite) rows() {
	const name = "imports/0123456789abcdef"
	if row, err := s.st.Row(s.ctx, name); row != nil || err != nil {
		s.Fatalf("a row that was never set is %q, %v", row, err)
	}
	if won, err := s.st.SwapRow(s.ctx, name, []byte("x"), []byte("y")); won || err != nil {
		s.Errorf("a row that is not there was swapped: %v, %v", won, err)
	}
	var sum atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				row, err := s.st.Row(s.ctx, name)
				if err != nil {
					s.Errorf("Row: %v", err)
					return
				}
				won, err := s.st.SwapRow(s.ctx, name, row, fmt.Appendf(nil, "%s%d", row, i))
				if err != nil {
					s.Errorf("SwapRow: %v", err)
					return
				}
				if won {
					sum.Add(1)
				}
			}
		})
	}
	wg.Wait()
	row, err := s.st.Row(s.ctx, name)
	s.must(err)
	if int64(len(row)) != sum.Load() || sum.Load() == 0 {
		s.Errorf("%d swaps won, the row is %q", sum.Load(), row)
	}
	if won, err := s.st.SwapRow(s.ctx, name, nil, []byte("y")); won || err != nil {
		s.Errorf("a row that is there was made once more: %v, %v", won, err)
	}
	if other, err := s.st.Row(s.ctx, name[:len(name)-1]); other != nil || err != nil {
		s.Errorf("a row whose name is shorter is %q, %v", other, err)
	}
	s.st = s.h.Reopen(s.T, s.st)
	again, err := s.st.Row(s.ctx, name)
	s.must(err)
	if string(again) != string(row) {
		s.Errorf("opened again, the row is %q, not %q", again, row)
	}
}
