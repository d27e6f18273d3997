// Package imports remembers how much of each file was imported, so that a log that is
// imported every night counts only once (docs/adr has the reasons).
//
// # What a file is
//
// Files are identified by content: an id is derived from the site and the first line.
// Within an id, a Mark stands for a prefix of a file: the number of lines, and a hash
// of them all. So a file that grew, or was renamed, packed or copied is the same file.
// One that was truncated, started again or edited has other marks from that point on.
//
// # What is promised
//
// The nonce of a line is derived from the parts of the id, its position and its bytes.
// Append puts a message into the log unless an import of this id has put its nonce
// there before, whatever crashed in between, and however long ago it was:
//
//   - Before anything is sent, the row of the id records how far the batch reaches,
//     and where the log ended (an open batch). When the log has acknowledged
//     everything, the row records that instead.
//   - Lines above every line that the row ever had cannot be in the log. They are
//     sent without a check.
//   - If a batch was left open, its lines may be in the log, above the end that it
//     recorded. Append looks for them there.
//   - Lines below the highest line of the row for which there is no mark may be
//     anywhere in the log after the first batch of the id. Append looks for them from
//     there on.
//   - Lines that are found are not sent.
//
// When an open batch is taken over, records that another process still has in flight
// may reach the log after the search. So a batch is taken over from another living
// process only when its row has not changed for takeover. Records that come even later
// are within the window of dedupe (law 5).
package imports
