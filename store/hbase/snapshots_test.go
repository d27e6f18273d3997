package hbase

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// A chunk is cut into columns that sort as they follow each other, none larger
// than a region server takes well; an empty one has a column too, for a row
// without any is not there.
func TestPieces(t *testing.T) {
	for _, size := range []int{0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 4 << 20} { // any length is taken
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
