// Package oracle says, from the log alone, what the speed layer must hold: the
// value of every cell at every version, and the counters of every commit. It is
// a second writing of the rules in plain maps and sorted slices. It shares no
// code with view, crdt, microbatch and query, nor with event: it reads JSON
// with encoding/json, urls with a WHATWG library and no fast path, sketches
// with the DataSketches library.
//
// # One partition
//
// An [Oracle] takes the records of one partition of one log epoch, from the
// epoch's start, in order of offset. For each record:
//
//  1. Log time L becomes the highest timestamp of a record so far. Every record
//     counts for it, whatever becomes of the record.
//  2. A record without a key that has the header "speedlayer-marker" is a
//     marker. Its value says {"generation":G,"settings":{...}}. If G is above
//     the newest generation, G is the newest now and begins at the next offset,
//     and the settings, if there are any, hold from there. Any other G changes
//     nothing. A marker that cannot be read is a dead letter.
//  3. A record with the header "speedlayer-moved-from" came from another
//     partition: "epoch/partition/offset". If that offset is not above the
//     highest that came from there, the record is ignored. Else it is noted, and
//     the record classified on.
//  4. A record that breaks a rule for fields, urls or times is a dead letter, so
//     is one whose time is above L + 24 h. It changes no memory.
//  5. A record without a nonce gets "topic/epoch/partition/offset", of the place
//     where it first lay.
//  6. A record whose person belongs to another partition is rerouted there with its
//     nonce, and is not an event here. One that was rerouted already in this log epoch is
//     a dead letter.
//  7. Dedupe forgets the pairs (nonce, person) that came in at a log time below
//     L - window; exactly a window old is remembered. A pair remembered makes the
//     record a duplicate, which changes nothing. Else the pair is remembered, and
//     then the oldest are forgotten while there are more than the bound.
//  8. What remains is an event. It counts in the newest generation.
//
// # An event
//
// It adds one pageview, and its person, to its page and to its domain in the
// hour of its own time. And it goes through the visits of (domain, person) that
// are remembered. Those not touched since a log time below L - window are
// forgotten first. A visit is near if the event is at most 30 minutes before its
// first view or after its last:
//
//	none  a visit begins: one visit, one bounce, in the event's hour
//	one   the event joins it: a bounce is taken back if it was of one view; if
//	      the event is its first view now, the visit moves to the event's hour
//	two   both and the event are one visit, at the start of the first: the other
//	      visit is taken back, and the bounces of those that were of one view
//
// The visit is touched at L, and then those touched longest ago are forgotten
// while there are more than the bound.
//
// # Cells and versions
//
// A cell's version is the offset of the last event that changed its bytes, plus
// one. A person who is in the set already changes nothing; nor does one who
// raises no register, once the cell is a sketch (from 2,049 persons on); nor
// does an event whose changes to one hour's visits cancel out.
//
// On a live system cells are ahead of each other. So cells are compared each at
// its own version: read cells and commits first, call [Oracle.Freeze] for each
// cell, add the log up to the commit at least, and then compare. A frozen cell
// whose Missed is at or below the commit lacks an event that the commit covers;
// a cell that is not frozen and whose First is at or below the commit is
// missing in the store. With Options.Histories every version is kept instead.
// [ParseValue] reads the bytes of a stored cell, [Value.Bytes] reports what they
// must be: the same version means the same bytes.
//
// # Answers
//
// [Answers] merges partitions and generations and resolves equiv edges, as
// queries must: sums for numbers, unions for persons.
package oracle
