// Package node is the running system: a process's part of it, which is all of it
// where queue and store are embedded.
//
//	node.go         Config; Open starts upward, Close stops downward
//	backends.go     the queue and the store, embedded or not
//	roles.go        which parts of the work a process does
//	epochs.go       the incarnation of the log that it works in
//	processing.go   the work of a processor; the commits of others
//	logkeeper.go    the bound on the log's size
//	batch.go        the batch layer: archive and runs; batchapi.go, batchclient.go
//	server.go       HTTP; openapi.yaml describes it
//	metrics.go      what /metrics shows; nodemetrics.go, batchmetrics.go
//
// It is the only package that knows every stage. Run is a whole process's work;
// programs that ask a node in their own process use Open.
package node
