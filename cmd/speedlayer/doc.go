// Command speedlayer is the one binary: it collects pageviews, queues them,
// turns them into realtime views and answers from them.
//
//	main.go      signals, exit status
//	root.go      the command line; flags from environment and file
//	node.go      everything embedded, in one process: starts upward, stops downward
//	server.go    its HTTP side
//	NAME.go      one file for each command
//
// It is the only importer of everything; no other package knows all stages.
package main
