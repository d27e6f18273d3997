// Package record describes the records of the log that are not events, and
// decides what any record is.
//
//	header   value                                on
//	marker   "1"                                  a [Marker]: a generation starts after it
//	moved    epoch/partition/offset               a rerouted record: the [Source] where it lay first
//	signature 32 bytes                           the system wrote it: see [Trust]
//	reason   text                                 a rejected record in the dead-letter topic
//	source   topic/epoch/partition/offset         the same: where it lay
//
// [Classifier] holds the rules. The engine and the archive both use it, so that
// the speed layer and the batch layer agree on every record of the log, and on
// the reason for which one is rejected. What a value means is not known here:
// that is the business of the [Rules] which a topology brings.
package record
