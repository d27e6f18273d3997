// Package hbase keeps cells in Apache HBase, for more data than one machine holds.
// Package client, below it, speaks HBase's protocol.
//
// The store is not atomic. The cells of a batch are put first, each with its
// version as timestamp. Of two versions of a cell HBase shows the higher one, in
// whatever order they arrive. When all cells are durable the commit follows: one
// row whose timestamp is the offset that it covers. Readers read in the order
// that package store requires.
//
//	options.go      where HBase is, as a URL
//	names.go        tables, and the rows that change rarely
//	rows.go         cells: layout of row keys and columns, in bytes
//	encode.go       a batch of cells as puts by bucket
//	open.go         checks at start, and the layout's row
//	generations.go  tables of generations: created, dropped, missing
//	apply.go        batches of cells
//	lookup.go       cells that a processor misses
//	reader.go       what queries scan, merged over buckets
//	stream.go       one bucket of a scan
//	control.go      epochs and pointer, by check-and-put
//	snapshots.go    operator state, in tables that rotate
package hbase
