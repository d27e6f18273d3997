// Package crash runs the real processors, views and Pebble store on a file
// system in memory that loses power at any write, and checks what is left.
//
// A life is one process: it opens the store, takes over, and does a seeded mix
// of what processes do. Before each write, sync, rename or remove of the file
// system, the life may be cut: the file system is cloned as a loss of power
// leaves it (what was synced, and of the rest nothing, all, or some blocks and
// directory entries), and another life begins on the clone; it may be cut in
// its turn, while it recovers. After each cut the next life compares
//
//   - every cell and commit row with verify/oracle, byte for byte, before it does
//     anything else, and again when it has caught up with the log;
//   - what is there with what was acknowledged before the cut: commits,
//     snapshots, epochs and the pointer never go back;
//   - each snapshot with every other one at the same offset;
//   - what left the partitions with what the commits say must have left.
//
// The queue is not under test: the log is a slice in memory that loses nothing.
// As a real one does, it drops records below the snapshots.
//
//	world.go   seeds, lives and cuts
//	life.go    one process
//	check.go   what must hold
//	runs.go    batch runs
//	topic.go   the log
//	traffic.go records
//	faults.go  cuts and injected errors of the file system
package crash
