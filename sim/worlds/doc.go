// Package worlds runs tiny worlds: a log of one or two partitions and ten to
// twenty records, read by several processors at once that are cut short, take
// over from each other, and write to a store whose puts arrive in any order,
// late, or never. The processors, views and cells are the real ones; the log
// and the store are models of a hundred lines.
//
// Every put is compared, as it is sent, with what the oracle has for that cell
// at that version; every commit row with the oracle's counts, and with what must
// be in the store by then; operator state with that of every other processor at
// the same offset; every answer of the query engine with the log below what it
// says it covers. Small worlds find in seconds what long simulations do not:
// most laws break within three events, if those three meet in the right order.
//
// A world is a function of a list of small numbers, its script. [Run] draws them
// at random and, when a world goes wrong, looks for a shorter script that still
// does, and tells what happens in it step by step. [Coverage] counts what worlds
// came into, so that a test can ask for it.
//
//	world.go      a world from its beginning to its end, and what each step may do
//	choices.go    scripts; shrink.go makes them smaller
//	task.go       what runs beside each other, one at a time
//	log.go        partitions, each with its oracle; events.go what clients send
//	processor.go  processors, snapshots, and the sink of rerouted records
//	control.go    changes of settings, generations dropped; query.go questions
//	store.go      the torn store; rows.go its rows and readers
//	check.go      what is compared
package worlds
