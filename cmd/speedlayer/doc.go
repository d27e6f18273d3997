// Command speedlayer is the one binary: it collects pageviews, queues them,
// turns them into realtime views and answers from them.
//
//	main.go      signals, exit status
//	root.go      the command line; flags from environment and file
//	node.go      a process's part of the system: starts upward, stops downward
//	sides.go     its queue and its store, embedded or not
//	roles.go     which parts of the work it does
//	processing.go  the work of a processor
//	server.go    its HTTP side
//	NAME.go      one file for each command
//
// It is the only importer of everything; no other package knows all stages.
package main
