// Package pebble keeps cells in Pebble, in the data directory of the process. It
// is the store of the embedded system. It is atomic: the cells of a batch and its
// commit row are one synced batch, and a reader is one snapshot.
//
//	keys.go       layouts of keys and values, in bytes
//	store.go      opening, closing, rows that change rarely
//	apply.go      batches of cells
//	lookup.go     cells that a processor misses
//	reader.go     what queries scan
//	snapshots.go  operator state, as files beside the cells
package pebble
