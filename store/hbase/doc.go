// Package hbase keeps cells in Apache HBase, for more than one machine can hold.
// It speaks HBase's protocol through gohbase, with requests of its own for many
// rows at once.
//
// The store is not atomic: the cells of a batch are put first, each with its
// version as timestamp, and of two versions of a cell HBase shows the higher, in
// whatever order they came. When all are durable the commit follows, one row,
// whose timestamp is the offset it covers. Readers go by the order that package
// store asks of them.
//
//	options.go      where HBase is, as a url
//	names.go        tables, and the rows that change rarely
//	rows.go         cells: layout of row keys and columns, in bytes
//	keyvalue.go     cells on the wire
//	encode.go       a batch of cells as puts by bucket
//	multi.go        requests for many rows of one region
//	requests.go     many rows, one row, check-and-put
//	pace.go         how many rows a request may hold
//	page.go         one page of a scan
//	link.go         the client: deadlines, what is tried again, a new one when it is stuck
//	zookeeper.go    the way to HBase, checked before gohbase goes it
//	guard.go        gohbase may not end the process
//	master.go       requests to the master: tables
//	open.go         checks at start, and the layout's row
//	generations.go  tables of generations: made, dropped, judged when missing
//	apply.go        batches of cells
//	lookup.go       cells that a processor misses
//	reader.go       what queries scan, merged over buckets
//	stream.go       one bucket of a scan
//	union.go        a cell of its whole and its growths
//	control.go      epochs and pointer, by check-and-put
//	snapshots.go    operator state, in tables that rotate
package hbase
