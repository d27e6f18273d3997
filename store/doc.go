// Package store is the contract between the speed layer and whatever keeps its
// cells: types, laws and errors. Implementations live below it (store/pebble
// embedded; others later) and are held to the contract by store/storetest.
//
// # What is kept
//
//	cell        (generation, view, url, hour, shard) -> (version, bytes)
//	commit      shard -> (offset, record)            one row per shard
//	snapshot    (shard, offset, chunk) -> bytes      operator state, named by one row per shard
//	epoch       number -> Epoch                      one life of the topic each, append-only
//	pointer     one row -> Pointer                   compare-and-set on its counter
//	row         name -> bytes                        compare-and-set on its bytes
//	generation  number                               created, then dropped whole, never again
//
// # Laws of an implementation
//
//  1. Versioned put. Of all puts of one cell the one with the highest version
//     stays, in whatever order they arrive. Two puts with the same version
//     carry the same bytes (the caller's law), so either may stay.
//  2. Cells before commit. Apply returns nil only when every cell of the batch
//     and then its commit row are durable. After a crash at any point a reader
//     never finds a commit row whose cells are missing. An implementation may
//     leave cells of a batch behind without their commit row (a torn flush);
//     one that writes the batch atomically never does, and says so (Atomic).
//  3. No step back. A commit row never goes to a lower offset; an Apply that
//     ends at or below the stored commit changes nothing and is no error: its
//     cells are there already, or newer ones.
//  4. One snapshot per name. Chunks live under keys that contain the offset.
//     NameSnapshot is refused above the commit, and a lower offset than the one
//     named changes nothing. Chunks below the name are deleted after the name
//     is durable, never before; the chunks of the name are never deleted.
//  5. Compare-and-set. AppendEpoch, SwapPointer and SwapRow are atomic against any
//     number of callers; exactly one of two callers with the same expectation
//     wins, the other gets ErrConflict.
//  6. A generation is dropped whole, and its number is never used again:
//     creating it once more is ErrDropped. Cells of a dropped generation in an
//     Apply are left out silently; cells of one that was never created fail the
//     whole Apply with ErrNoGeneration.
//  7. An error is never an empty answer. A read that cannot be served returns an
//     error; "not there" is said only when it is known.
//  8. Durable means synced: it survives the loss of power of the machine.
//  9. A growth is united. A store that takes growths (Growing) answers with the
//     union of the whole cell and its growths, at the highest version of any.
//     One that does not is never given any.
package store
