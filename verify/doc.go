// Package verify compares everything that the store holds with what the log
// says it must hold. What must be there comes from package oracle, which shares
// no code with view, crdt, microbatch and query.
//
// It works on a live system, because a cell says at which version it is:
//
//  1. The store is read: pointer, epochs, commits, then cells ([Snapshot]).
//  2. The log is read from each epoch's start up to the commit, and further if a
//     cell is further. The oracle holds each cell at the version of the stored one.
//  3. A stored cell must have a version that the cell has in the log, and the
//     bytes of that version, and no later version that the commit covers. A cell
//     that the log has at or below the commit must be stored. The counters of a
//     commit row must be those of the log below it. Records that left their
//     partition must have arrived where they belong.
//
// A shard of which the log is gone, wholly or at its beginning, cannot be
// checked, since every later value depends on what the first records did. That
// is said in the report, with the number of cells, and is not a difference.
//
// The store is at hand ([FromStore]), or is read from a server ([CellsHandler],
// [FromServer]).
package verify
