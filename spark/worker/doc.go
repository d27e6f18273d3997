// Package worker is the process beside a Spark executor, and beside Spark's driver:
// Spark plans ranges of offsets, this process works them off.
//
//	Spark task -> PartitionReader -> Unix socket -> Server -> Engine
//
// [Server] speaks the protocol below, over one connection for each task at a time.
// [Engine] is the work itself; package node has the real one. Operator state and
// cells stay in the engine's memory from one micro-batch to the next, which is why
// the process lives as long as the executor does. It ends when its standard input
// does, so it never outlives the executor, however that ends.
//
// A range may be run twice, on two machines at once, or long after Spark gave it up:
// all of that is harmless (design, laws 2 to 5).
package worker
