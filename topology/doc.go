// Package topology is for jobs of one's own on the engine of speedlayer: a job is
// written as a chain of steps, and runs as exactly-once micro-batches whose results
// can be queried at any moment.
//
//	t := topology.New("words")
//	lines := topology.Source(t, "sentences", topology.Text)
//	words := topology.FlatMap(lines, "split", strings.Fields)
//	counts := topology.Count(topology.By(words, "word", topology.Itself), "count")
//	top := topology.Top(counts, "top", 3)
//
//	job, err := topology.Run(ctx, t, topology.Config{Data: "words-data"})
//
// There are batch-local steps, which look at one event at a time ([Map], [Filter],
// [FlatMap], [FlatMapSeq]), and steps that keep state for each key of a [By]:
//
//	Count, Sum, Unique   partial results in each partition, merged when they are read
//	Top                  the first keys of a Count, found when it is read
//	Update, TopBy        state of one's own, from all events of a key in their order
//	Remember             what a partition remembers of a key makes other events
//
// What merges needs no shuffle. Update and TopBy are sent to the partition of their
// key through a topic of the topology's own, with the protocol of rerouted records,
// so they are exactly once too.
//
// Functions of steps must be pure: the same event gives the same result, whenever
// and however often it is processed. A step's function that panics rejects the event
// (it goes to the topic TOPIC-rejected, with the name of the step).
//
// A topology is data: [Topology.Text] and [Topology.Mermaid] draw it from what runs.
// Mistakes in its construction are collected, each with the name of the step;
// [Topology.Err] returns them, and Run refuses such a topology.
//
// The laws are those of the web analytics (docs/design.md): a cell is a function of
// the log, it carries the version that it stands for, and the commit follows the
// cells. So a process may be killed at any moment, and two may work on the same
// partition, and each event counts once.
//
//	topology.go   names, errors, settings      codec.go     values as bytes
//	stream.go     batch-local steps            group.go     By and windows
//	steps.go      steps with state             update.go    state of one's own
//	remember.go   what partitions remember
//	operator.go   what the engine runs         cells.go     its cache of cells
//	kinds.go      what a cell holds            packet.go    what By forwards
//	job.go        a running topology           feed.go      files and other ordered sources
//	batch.go      the same definition over a whole log
//	query.go      reading results              ranked.go    in the order of their counts
//	diagram.go    pictures
package topology
