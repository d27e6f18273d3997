package main

const (
	pebblePkg     = "store/pebble"
	conformance   = "^TestConformance$"
	applyGo       = "store/pebble/apply.go"
	pebbleGo      = "store/pebble/store.go"
	chunksGo      = "store/pebble/snapshots.go"
	hbasePkg      = "store/hbase"
	hbaseApplyGo  = "store/hbase/apply.go"
	crashPkg      = "sim/crash"
	partitionGo   = "microbatch/partition.go"
	crashRun      = "^TestCrashAtEveryWrite$"
	microbatchPkg = "microbatch"
	catalogPkg    = "catalog"
)

// storeMutants break the store. The conformance suite holds it to its contract,
// the crash tests to what was durable.
var storeMutants = []mutant{
	{name: "zombie-overwrites", line: "3", what: "a batch that ends at or below the commit is written all the same",
		edits: []edit{{applyGo, "if b.Commit.Offset <= sh.committed {", "if b.Commit.Offset < 0 {"}},
		pkg:   pebblePkg, run: conformance},
	{name: "commit-row-first", line: "4", what: "the commit row is durable before its cells",
		edits: []edit{{applyGo, "\tif err := s.addCells(batch, b); err != nil {",
			"\tif err := s.db.Set(shardKey(commitPrefix, b.Shard), appendCommit(nil, b.Commit), s.sync); err != nil {\n\t\treturn err\n\t}\n\tif err := s.addCells(batch, b); err != nil {"}},
		pkg: crashPkg, run: crashRun},
	{name: "hbase-commit-row-first", line: "4", what: "the same, on HBase",
		edits: []edit{{hbaseApplyGo, "\tfor _, cells := range sections {",
			"\tif err := s.client.Put(ctx, s.names.control(), shardRow(commitPrefix, b.Shard), controlFamily, client.Columns{recordColumn: b.Commit.Record}, uint64(b.Commit.Offset)); err != nil {\n\t\treturn err\n\t}\n\tfor _, cells := range sections {"}},
		pkg: hbasePkg, run: "^TestCommitRowComesLast$"},
	{name: "not-synced", line: "law 8 of stores", what: "writes are acknowledged before they are synced",
		edits: []edit{{pebbleGo, "sync: pebble.Sync}", "sync: pebble.NoSync}"}},
		pkg:   crashPkg, run: crashRun},
	{name: "dropped-made-again", line: "16", what: "a generation that was dropped can be made again",
		edits: []edit{{pebbleGo, "if !have.live {", "if !have.live && !known {"}},
		pkg:   pebblePkg, run: conformance},
	{name: "chunks-under-one-name", line: "7, 31", what: "chunks lie under one name, whatever their offset",
		edits: []edit{{chunksGo, "fmt.Sprintf(\"%d-%d-%d-%d\", id.Epoch, id.Partition, offset, index))", "fmt.Sprintf(\"%d-%d-%d-%d\", id.Epoch, id.Partition, offset*0, index))"}},
		pkg:   pebblePkg, run: conformance},
	{name: "snapshot-above-commit", line: "31", what: "a snapshot is named above the commit",
		edits: []edit{{chunksGo, "if !found || c.Offset < n.Offset {", "if !found || c.Offset < 0 {"}},
		pkg:   pebblePkg, run: conformance},
	{name: "snapshot-without-chunk", line: "31", what: "a snapshot is named though a chunk is missing",
		edits: []edit{{chunksGo, "for i := range n.Chunks {\n\t\tif _, err := s.fs.Stat(", "for i := range n.Chunks * 0 {\n\t\tif _, err := s.fs.Stat("}},
		pkg:   pebblePkg, run: conformance},
	{name: "pointer-swapped-blindly", line: "38", what: "the pointer is swapped whatever its counter is",
		edits: []edit{{pebbleGo, "if have.Counter != expect || p.Counter != expect+1 {", "if p.Counter != expect+1 {"}},
		pkg:   pebblePkg, run: conformance},
}

// rangeMutants break what processes ranges that a scheduler plans.
var rangeMutants = []mutant{
	{name: "range-forgets-ahead", line: "ranges", what: "records that were polled beyond a range are dropped",
		edits: []edit{{partitionGo, "\t\t\tp.ahead = recs[i:]\n", ""}},
		pkg:   microbatchPkg, run: "^TestRangesTwice$"},
	{name: "range-state-kept-after-error", line: "ranges", what: "state that moved on in a range that failed is used for the next one",
		edits: []edit{{partitionGo, "\t\tp.drop() // state may have moved on without its commit\n", ""}},
		pkg:   microbatchPkg, run: "^TestWrongRange$"},
	{name: "range-without-commit", line: "ranges", what: "a range ends without a commit",
		edits: []edit{{partitionGo, "\t}\n\tif err := proc.Commit(ctx); err != nil {\n\t\treturn err\n\t}\n\tp.snap", "\t}\n\tp.snap"}},
		pkg:   microbatchPkg, run: "^TestStateInMemory$"},
}

// incarnationMutants break how the incarnations of a log are told apart, and what is moved
// between partitions.
var incarnationMutants = []mutant{
	{name: "topic-recreated", line: "22", what: "a recreated topic goes on under the old shards",
		edits: []edit{{sharedGo, "if t.ID != e.TopicID {", "if t.ID == \"\" {"}},
		pkg:   catalogPkg, run: "Epoch"},
	{name: "log-end-below-commit", line: "23", what: "a log that ends below the commit is not noticed",
		edits: []edit{{sharedGo, "if t.Ends[part] < commits[part] {", "if t.Ends[part] < 0 {"}},
		pkg:   catalogPkg, run: "Epoch"},
	{name: "other-partitions", line: "24", what: "another number of partitions is not noticed",
		edits: []edit{{sharedGo, "if t.Partitions != e.Partitions || before.Partitions != e.Partitions {", "if t.Partitions < 0 {"}},
		pkg:   catalogPkg, run: "Epoch"},
	{name: "gap-above-snapshot", line: "law 4", what: "a log that begins above the snapshot is not noticed",
		edits: []edit{{sharedGo, "if before.Starts[part] > needed[part] {", "if before.Starts[part] < 0 {"}},
		pkg:   catalogPkg, run: "Epoch"},
	{name: "epoch-not-closed", line: "law 1", what: "the next log epoch begins while others still work in the one before",
		edits: []edit{{sharedGo, "if c.Pause > 0 && topic.ID == last.TopicID {", "if c.Pause < 0 && topic.ID == last.TopicID {"}},
		pkg:   catalogPkg, run: "Closed"},
	{name: "fence-trusts-for-ever", line: "law 1", what: "a process that slept through the end of its log epoch does not look before it writes",
		edits: []edit{{"catalog/fence.go", "f.now().Sub(f.mu.at) < fenceTrust", "f.now().Sub(f.mu.at) >= 0"}},
		pkg:   catalogPkg, run: "^TestFence$"},
	{name: "ends-asked-first", line: "law 1", what: "where the log ends is asked before what others committed meanwhile",
		edits: []edit{{sharedGo, "if t.Ends[part] < commits[part] {", "if before.Ends[part] < commits[part] {"}},
		pkg:   catalogPkg, run: "^TestOthersAtWorkAreNoEnd$"},
	{name: "starts-asked-last", line: "law 1", what: "where the log begins is asked after what others needed of it",
		edits: []edit{{sharedGo, "if before.Starts[part] > needed[part] {", "if t.Starts[part] > needed[part] {"}},
		pkg:   catalogPkg, run: "^TestOthersAtWorkAreNoEnd$"},
	{name: "cut-forgotten", line: "23", what: "where the log was cut off is forgotten with the process that saw it",
		edits: []edit{{sharedGo, "if cuts[part] >= 0 {", "if cuts[part] > 1<<40 {"}},
		pkg:   catalogPkg, run: "Closed|Known"},
	{name: "snapshot-gone-is-gap", line: "law 4", what: "who finds a chunk gone does not read the row again",
		edits: []edit{{stateGo, "if found && again == name {", "if found || again == name {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "covered-goes-back", line: "covered", what: "progress follows a commit that is behind",
		edits: []edit{{"microbatch/progress.go", "|| p.mu.committed[partition] >= offset {", "|| p.mu.committed[partition] == offset {"}},
		pkg:   microbatchPkg, run: "^TestProgressNeverGoesBack$"},
	{name: "rerouted-under-old-name", line: "28", what: "a record that is rerouted in the next epoch keeps the name of where it lay first",
		edits: []edit{{processorGo, "Source: p.place(r),\n", "Source: is.From,\n"}},
		pkg:   worldsPkg, run: worldsRun},
}
