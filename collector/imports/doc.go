// Package imports remembers how far each file was imported, so that a log that is
// imported every night counts once, for ever (docs/adr has the reasons).
//
// # What a file is
//
// Files are told apart by content: an id is made from the site and the first line.
// Within an id, a Mark stands for a beginning of a file: how many lines, and a hash
// of them all. So a file that grew, was renamed, packed or copied is the same one,
// and one that was cut off, begun again or edited has other marks from there on.
//
// # What is promised
//
// A line's nonce is made from the id's parts, its position and its bytes. Append
// puts a message into the log unless its nonce was put there by an import of this
// id before, whatever crashed meanwhile, and however long ago it was:
//
//   - Before anything is sent, the row of the id says so: how far the batch reaches,
//     and where the log ended (an open batch). When the log has acknowledged
//     everything, the row says that instead.
//   - Lines above every line that the row ever had cannot be in the log. They are
//     sent without a look.
//   - If a batch was left open, its lines may be in the log, above the end that it
//     noted. They are looked for there.
//   - Lines below the row's highest that no mark stands for may be in the log
//     anywhere after the id's first batch. They are looked for from there on.
//   - What is found is not sent.
//
// What another process still has under way when its open batch is taken over may
// come into the log after the look. A batch is therefore taken over from another
// living process only when its row has not changed for takeover; what comes later
// still is within the window of dedupe (law 5).
package imports
