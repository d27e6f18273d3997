// Package queue is the multi-consumer queue: Kafka topics, spoken to through
// franz-go. There is one code path. Embedded, the broker is franz-go's kfake in
// the process (package embedded), behind a real port, with a data directory and
// synced writes; outside it is a Kafka cluster.
//
//	pageviews            partitioned by person, log-append time, kept for ever
//	pageviews-rejected   what could not be understood, and why
//	equivs               equiv edges, one partition, kept for ever
//
// A [Client] appends; a [Reader] reads one partition from an offset on; a
// [Rerouter] sends records on to other partitions, in order.
//
// What the embedded broker promises: what it acknowledged survives a killed
// process. It syncs every append, but takes no notice of a sync that fails, so
// it cannot promise the same for lost power; a log that lost its end is noticed
// at start, and begins a new log epoch (package microbatch).
package queue
