// Command speedlayer is the one binary: it collects pageviews, queues them,
// turns them into realtime views and answers from them.
//
//	main.go      signals, exit status
//	root.go      the command line; flags from environment and file
//	NAME.go      one file for each command
//
// It is flags and printing: package node is the running system.
package main
