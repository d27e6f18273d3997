// Package bench measures the parts of speedlayer that have a target, each with
// a baseline in the same run, so that a figure means something on any machine:
//
//	views      log -> durable views, against reading and parsing alone, and
//	           against batches of one event
//	latency    event -> queryable at half of the highest rate, against that rate
//	query      24 hours of one url while events come in, against an idle process
//	memory     peak of serve, to which events are offered without a bound, against
//	           the same process before the first event
//	recovery   kill -9 -> everything acknowledged is queryable again, by the
//	           interval between snapshots, against a start after a graceful stop
//	post       acknowledged requests, against net/http that does nothing
//	batch      archive -> batch views, against reading the columns alone
//	cluster    the main job, queries and the kill of a processor on real Kafka and
//	           HBase, against the embedded parts and putting the rows alone
//
// They run the real thing. latency, query, memory, recovery and cluster run
// processes of the program itself; the others open package node in this process,
// with its default settings. What is offered comes from sim/generate and is the
// same for the same seed. Making and appending the events is never part of a timing
// that is about reading them, and always part of one that runs beside it.
//
// [Run] is what `speedlayer bench` calls; `go test -bench . ./sim/bench` runs
// small versions.
package bench
