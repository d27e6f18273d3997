// Package topologies runs tiny worlds of randomly made topologies: a source of one to
// three partitions, topics of the topologies' own, and several processors at once
// that are killed, take over from each other, and write to stores whose puts arrive
// in any order, late, or never. Records come twice, lie in the wrong partition, and
// partitions are added.
//
// At the end of a world its results are compared with an oracle that interprets the
// definition with plain maps. It knows the events that were sent and nothing of the
// engine, and shares no code with it. While a world runs, two laws are checked at each
// put and commit: the same version of a cell has the same bytes, whoever writes it,
// and a commit stands for its cells.
//
//	def.go        a definition, drawn at random, and the topology that it stands for
//	oracle.go     what the results must be
//	world.go      a world from its beginning to its end
//	processor.go  processors, and what leaves them
//	store.go      a torn store; reader.go what queries read of it
//	task.go       what runs beside each other, one at a time
package topologies
