// Package days runs the whole system for days of virtual time: the embedded
// broker with its files, the Kafka client, the runner with its processors, and
// Pebble; in one process, on a network of pipes, inside a testing/synctest
// bubble, so that a day takes seconds and no test waits.
//
// Clients send pageviews all the time, in bursts, late, twice, broken, or to
// the wrong partition, and try again when the broker is away. Meanwhile the
// operator of the system does what operators do, and what happens to them:
// restarts, kills, two runners at once, slow and failing stores, broker
// restarts, changed settings, more partitions, a recreated topic. Every six hours
// a batch run absorbs the log; it may fail, be killed, and be rolled back.
//
// At many moments, while all of it runs, one snapshot of the store is compared
// with verify/oracle: each commit record, and every cell, byte for byte. At the
// end answers of package query are compared too, and, without any oracle: each
// pageview that was acknowledged is counted once.
//
//	sim.go       the script of a run
//	machine.go   the parts, and how they start and end
//	slowstore.go a store that is slow and fails
//	traffic.go   clients
//	archive.go   the log as the oracle reads it
//	runs.go      batch runs
//	check.go     what must hold
package days
