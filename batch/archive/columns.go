package archive

import "speedlayer/store"

// Column selects columns of a scan; combine them with |.
type Column uint32

// The columns that can be read quickly.
const (
	Offset       Column = 1 << iota // Columns.Offset
	RecordTime                      // Columns.RecordTime
	LogTime                         // Columns.LogTime
	KindOf                          // Columns.Kind
	TS                              // Columns.TS
	Page                            // Columns.Page
	Person                          // Columns.Person
	Nonce                           // Columns.Nonce
	URL                             // Columns.URL
	Referrer                        // Columns.Referrer
	UserAgent                       // Columns.UserAgent
	ReroutedFrom                    // Columns.Rerouted

	// Events are the columns needed to count events.
	Events = KindOf | TS | Page | Person | Nonce | ReroutedFrom
)

// names are the names of the columns in the file, by bit.
var columnNames = [...]string{"offset", "record_time", "log_time", "kind", "ts", "page", "person", "nonce", "url", "referrer", "user_agent"}

// Columns are rows of one shard, in log order, column by column. Only the selected
// columns are filled. They belong to the scan and are valid only during the call.
type Columns struct {
	Shard store.Shard
	N     int // rows

	Offset, RecordTime, LogTime []int64
	TS                          []int64 // ms; 0 if the row is not a pageview
	Kind                        []Kind

	Page, Person, Nonce, URL, Referrer, UserAgent Text // empty if the row has none

	Rerouted []ReroutedRow // rows that were rerouted here, ascending; also rejected ones

	kinds Text
}

// Text is a column of texts. The file stores repeated texts once, in a dictionary. So
// a reader may process each text once, and then read the rows by the number of their
// text.
type Text struct {
	// Index is the number of each row's text, below Len. It is nil if every
	// row has a separate text: row i has number i.
	Index []int32

	data []byte
	ends []uint32 // of text i: data[ends[i]:ends[i+1]]
}

// Len returns how many texts there are. Some may belong to rows outside of the
// requested range.
func (t *Text) Len() int { return max(0, len(t.ends)-1) }

// Text returns the text with a number.
func (t *Text) Text(i int32) []byte {
	from, to := t.ends[i], t.ends[i+1]
	return t.data[from:to:to]
}

// Row returns the text of a row.
func (t *Text) Row(i int) []byte {
	if t.Index != nil {
		return t.Text(t.Index[i])
	}
	return t.Text(int32(i))
}

// reset empties the column and keeps its memory.
func (t *Text) reset() {
	t.Index, t.data, t.ends = t.Index[:0], t.data[:0], append(t.ends[:0], 0)
}

// add appends a text and returns its number.
func (t *Text) add(text []byte) int32 {
	t.data = append(t.data, text...)
	t.ends = append(t.ends, uint32(len(t.data)))
	return int32(len(t.ends) - 2)
}

// addAll appends many texts: text i is data[ends[i]:ends[i+1]].
func (t *Text) addAll(data []byte, ends []uint32) {
	if len(ends) < 2 {
		return
	}
	by := uint32(len(t.data)) - ends[0]
	t.data = append(t.data, data[ends[0]:ends[len(ends)-1]]...)
	for _, e := range ends[1:] {
		t.ends = append(t.ends, e+by)
	}
}

// cut keeps the rows [from, to) of those that were read.
func (c *Columns) cut(want Column, from, to int) {
	if from == 0 && to == c.N {
		return
	}
	c.N = to - from
	c.cutRerouted(from, to)
	for _, ints := range [...]*[]int64{&c.Offset, &c.RecordTime, &c.LogTime, &c.TS} {
		if len(*ints) > 0 {
			*ints = (*ints)[from:to]
		}
	}
	if len(c.Kind) > 0 {
		c.Kind = c.Kind[from:to]
	}
	for _, col := range [...]Column{Page, Person, Nonce, URL, Referrer, UserAgent} {
		if want&col == 0 {
			continue
		}
		if t := c.text(col); t.Index != nil {
			t.Index = t.Index[from:to]
		} else {
			t.ends = t.ends[from : to+1]
		}
	}
}
