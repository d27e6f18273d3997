// Package catalog keeps the few rows that report how the whole hangs together: the
// log epochs, the generations of realtime views, the batch runs, and the pointer
// row that tells queries which of them to read (design, laws 1 and 7).
//
//	epochs      append-only: the incarnations of the topic (epoch.go). Where
//	            processes share a store, one is closed before the next begins
//	            (shared.go), and nobody writes to a closed one (fence.go)
//	pointer     one row: current run, the run before, the run under way, the next
//	            number, the list of generations, the newest one's settings
//	markers     records in every partition of the log, at which a generation starts
//
// Any number of processes may change the rows at once. Every change of the pointer
// row is one compare-and-set, made by [Update] or [UpdateFrom]. A generation begins
// in the protocol's order: take a number, make the table, enter the list, append
// the markers (settings.go; for a batch run, package batch).
package catalog
