package imports

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Mark stands for a prefix of a file.
type Mark struct {
	Lines int64  `json:"lines"`
	Hash  string `json:"hash"` // hash of these lines; "" if there are none
}

// These bound the marks that a row keeps. An import in progress begins its next batch at
// one of the newest marks.
const (
	maxMarks  = 128
	keptMarks = 64
)

// row is what is remembered of an id.
type row struct {
	Version int     `json:"version"`
	Topic   string  `json:"topic"`            // the topic that has these offsets
	Origin  []int64 `json:"origin"`           // where the log ended before the first batch
	Lines   int64   `json:"lines"`            // the most lines of any acknowledged batch
	Marks   []Mark  `json:"marks"`            // oldest first: every line below each is in the log
	Open    *open   `json:"open,omitempty"`   // a batch that may be in progress
	Before  bool    `json:"before,omitempty"` // lines may be in the log from a time without rows
}

// open is a batch that was begun, or several that were abandoned.
type open struct {
	Lines int64   `json:"lines"` // the line up to which they reach
	Ends  []int64 `json:"ends"`  // where the log ended before the first of them
	Owner string  `json:"owner"` // the process that began the last one
	Try   uint64  `json:"try"`   // distinguishes the rows of two tries
}

const rowVersion = 1

func decodeRow(raw []byte) (*row, error) {
	r := new(row)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("imports: a row cannot be read: %w", err)
	}
	if r.Version != rowVersion {
		return nil, fmt.Errorf("imports: a row has version %d, this program knows %d", r.Version, rowVersion)
	}
	return r, nil
}

func (r *row) encode() []byte {
	raw, err := json.Marshal(r)
	if err != nil { // numbers and strings can always be encoded
		panic(err)
	}
	return raw
}

func (r *row) clone() *row {
	c := *r
	c.Marks = slices.Clone(r.Marks)
	return &c
}

// has reports whether all lines below a mark are in the log.
func (r *row) has(m Mark) bool { return m.Lines == 0 || slices.Contains(r.Marks, m) }

// begin records that a batch may be in progress from now on.
func (r *row) begin(to int64, ends []int64, owner string) *row {
	next := r.clone()
	next.Open = &open{Lines: to, Ends: ends, Owner: owner}
	if o := r.Open; o != nil {
		next.Open.Lines, next.Open.Ends, next.Open.Try = max(to, o.Lines), o.Ends, o.Try+1
	}
	return next
}

// finish records that every line below a mark is in the log.
func (r *row) finish(to Mark) *row {
	next := r.clone()
	next.Lines = max(r.Lines, to.Lines)
	if r.Open != nil && r.Open.Lines <= to.Lines {
		next.Open = nil
	}
	if !r.has(to) {
		next.Marks = append(next.Marks, to)
	}
	if n := len(next.Marks); n > maxMarks { // of the older ones every second is kept
		old := next.Marks[:n-keptMarks]
		kept := make([]Mark, 0, n)
		for i := range old {
			if i%2 == 1 {
				kept = append(kept, old[i])
			}
		}
		next.Marks = append(kept, next.Marks[n-keptMarks:]...)
	}
	return next
}

// look returns where in the log the lines of a batch may be, or nil if they cannot be
// there.
func (r *row) look(from Mark) []int64 {
	switch {
	case from.Lines < r.Lines:
		return r.Origin
	case r.Open != nil:
		return r.Open.Ends
	}
	return nil
}
