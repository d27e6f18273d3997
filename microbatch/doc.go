// Package microbatch is the engine: it takes a range of offsets of one
// partition, drops duplicates, reroutes what lies in the wrong partition, and
// hands the events to an [Operator], whose changed cells it commits.
//
//	queue.Reader -> classify -> dedupe -> Operator -> store.Apply -> next
//
// It does not know what a pageview is. [Processor] is the part that needs no
// goroutine and no clock: Load, Process, Commit. Two things drive it, and both take
// a partition over in the same way (takeover.go). [Runner] follows the log by
// itself and keeps one processor for each of its partitions alive. [Partition]
// processes ranges that a scheduler plans: "process this range of this partition
// against this store" is one call, which may be repeated, late, or made on two
// machines at once.
//
// Exactly once comes from four things together (design, laws 2-5): the log is
// the only input; cells carry the offset that they stand for; the commit row
// follows the cells; operator state is kept as whole snapshots at an offset. A
// processor that takes over loads the snapshot and runs the log from there. Up
// to the commit it only rebuilds its memory; from there on it changes cells.
//
// Within a process a batch is never made a second time: when the store refuses it, the
// same bytes are offered until it takes them. Meanwhile nothing is read from
// the queue, so a slow store costs no memory.
package microbatch
