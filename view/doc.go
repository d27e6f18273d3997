// Package view turns pageviews into changes of cells: (generation, view, url,
// hour, shard) -> cell. It does no I/O and reads no clock; all it knows is what
// the log of one partition has said so far.
//
//	pageviews  every view adds one to its page and to its domain
//	uniques    every view adds its person to the sets of its page and its domain
//	bounces    every view may begin, extend, or join visits of its domain
//
// [Pageviews] is the operator that microbatch runs, one per partition. It is
// owned by one goroutine. For each micro-batch it goes through the events
// twice: once to find the cells that they need, so that those not in the cache
// are read from the store all at once, and once, in log order, to change them.
//
// A cell is changed by an event only if the event's offset is at or above the
// cell's version, and the version moves to offset+1 only when the cell's bytes
// change. So what a cell holds at a version does not depend on how the log was
// cut into batches, nor on how often it was run (design, laws 2 and 3).
package view
