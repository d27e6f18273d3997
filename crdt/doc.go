// Package crdt holds the kinds of cells: their form in memory, their bytes,
// and how cells of several shards are merged on reading. It imports no other
// package of speedlayer.
//
// A cell is written by one shard only, so it is a CRDT with the shard as its
// replica (Shapiro et al., "A comprehensive study of Convergent and Commutative
// Replicated Data Types", 2011). A cell is the part of one replica:
//
//	count       G-Counter    merged by adding
//	visit count PN-Counter   merged by adding
//	visitors    G-Set, or HyperLogLog when large; merged as sets
//
// The bytes of a cell are a function of its contents, never of the order in
// which they came. So the same version means the same bytes, whoever wrote them.
package crdt
