package hbase

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// A chunk is split into columns that sort in their order, none larger than suits a
// region server. An empty chunk has a column too, because a row without columns does
// not exist.
func TestPieces(t *testing.T) {
	for _, size := range []int{0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 4 << 20} { // any length is accepted
		chunk := make([]byte, size)
		for i := range chunk {
			chunk[i] = byte(i / 1000)
		}
		c := pieces(chunk)
		var joined []byte
		for _, name := range slices.Sorted(maps.Keys(c)) {
			if len(c[name]) > pieceBytes {
				t.Errorf("%d bytes: column %s has %d", size, name, len(c[name]))
			}
			joined = append(joined, c[name]...)
		}
		if want := max(1, (size+pieceBytes-1)/pieceBytes); len(c) != want || !bytes.Equal(joined, chunk) {
			t.Errorf("%d bytes: %d columns, want %d; joined they are %d bytes", size, len(c), want, len(joined))
		}
	}
}
