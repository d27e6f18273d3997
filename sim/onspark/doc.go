// Package onspark breaks real Spark, and what is around it, while clients post, and
// compares what was counted with what was acknowledged.
//
// A standalone cluster of Spark with two workers runs the query that "speedlayer
// spark submit" submits, against real Kafka and HBase; one process takes pageviews
// and answers. A plan of faults, drawn from a seed, is injected one by one: executors,
// Spark's workers, the driver (with its checkpoint and without) and the Go processes
// are killed, executors are stopped past their time-out and go on, tasks are slowed so
// that Spark runs copies of them, servers are killed, and batch runs begin in between.
// At the end "speedlayer verify" compares every cell with the log, and a ledger
// compares the cells with what clients were told.
package onspark
