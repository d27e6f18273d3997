// Package cassandra keeps cells in Apache Cassandra, for more data than one machine
// holds.
//
// The store is not atomic. The cells of a batch are put first, each with its version
// as timestamp. Of two versions of a cell Cassandra keeps the higher one, in whatever
// order they arrive. When all cells are durable the commit follows: one row whose
// timestamp is the offset that it covers. Readers read in the order that package
// store requires.
//
// Rows that are compared and set (pointer, epochs, generations, named rows) are
// written by lightweight transactions only. All other puts are idempotent and carry
// a timestamp of ours, so a request without an answer is sent again.
//
//	options.go      where Cassandra is, as a URL
//	schema.go       tables and statements; their layout
//	session.go      requests: bounds, retries, which errors last
//	connect.go      the driver's configuration
//	open.go         checks at start, and the layout's row
//	preflight.go    what is checked of the servers and the keyspace
//	control.go      epochs, pointer and named rows, by lightweight transactions
//	generations.go  tables of generations: created, dropped, missing
//	apply.go        batches of cells
//	lookup.go       cells that a processor misses
//	reader.go       what queries scan, merged over partitions
//	stream.go       one partition of a scan
//	snapshots.go    operator state
package cassandra
