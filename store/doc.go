// Package store is the contract between the speed layer and whatever keeps its
// cells: types, laws and errors. The implementations are store/pebble (embedded)
// and store/hbase; store/storetest holds them to the contract.
//
// # What is kept
//
//	cell        (generation, view, url, hour, shard) -> (version, bytes)
//	commit      shard -> (offset, record)            one row per shard
//	snapshot    (shard, offset, chunk) -> bytes      operator state, named by one row per shard
//	epoch       number -> Epoch                      one incarnation of the topic each, append-only
//	pointer     one row -> Pointer                   compare-and-set on its counter
//	row         name -> bytes                        compare-and-set on its bytes
//	generation  number                               created, then dropped whole, never again
//
// # Laws of an implementation
//
//  1. Versioned put. Of all puts of one cell, the one with the highest version
//     stays, in whatever order they arrive. Two puts with the same version
//     carry the same bytes (the caller's law), so either may stay.
//  2. Cells before commit. Apply returns nil only when every cell of the batch
//     and then its commit row are durable. After a crash at any point, a reader
//     never finds a commit row whose cells are missing. An implementation may
//     leave cells of a batch without their commit row (a torn flush). One that
//     writes the batch atomically never does, and reports so (Atomic).
//  3. No step back. A commit row never goes to a lower offset. An Apply that
//     ends at or below the stored commit changes nothing and returns no error:
//     its cells, or newer ones, are already stored.
//  4. One snapshot per name. Chunks are stored under keys that contain the
//     offset. NameSnapshot is refused above the commit, and a lower offset than
//     the named one changes nothing. Chunks below the name are deleted after the
//     name is durable, never before. The chunks of the name are never deleted.
//  5. Compare-and-set. AppendEpoch, SwapPointer and SwapRow are atomic against any
//     number of callers. Exactly one of two callers with the same expectation
//     wins; the other gets ErrConflict.
//  6. A generation is dropped whole, and its number is never used again:
//     creating it a second time returns ErrDropped. Cells of a dropped generation
//     in an Apply are left out silently. Cells of one that was never created fail
//     the whole Apply with ErrNoGeneration.
//  7. An error is never an empty answer. A read that cannot be served returns an
//     error; "not found" is returned only when it is known.
//  8. Durable means synced: it survives the loss of power of the machine.
//  9. A delta is merged. A store that takes deltas (TakesDeltas) answers with the
//     merge of the whole cell and its deltas, at the highest version among
//     them. A store that does not take deltas is never given any.
//  10. An addition is applied once. A store that takes additions (TakesAdditions)
//     applies a batch with cells that add only if the shard's commit is still the
//     one that the batch follows; otherwise it returns ErrSuperseded. Offering a
//     batch again after an error of any other kind does not add twice.
package store
