package main

const (
	pebblePkg     = "store/pebble"
	conformance   = "^TestConformance$"
	applyGo       = "store/pebble/apply.go"
	pebbleGo      = "store/pebble/store.go"
	chunksGo      = "store/pebble/snapshots.go"
	crashPkg      = "sim/crash"
	crashRun      = "^TestCrashAtEveryWrite$"
	microbatchPkg = "microbatch"
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
	{name: "not-synced", line: "law 8 of stores", what: "writes are acknowledged before they are synced",
		edits: []edit{{pebbleGo, "sync: pebble.Sync}", "sync: pebble.NoSync}"}},
		pkg:   crashPkg, run: crashRun},
	{name: "dropped-made-again", line: "16", what: "a generation that was dropped can be made again",
		edits: []edit{{pebbleGo, "if !live {", "if !live && !known {"}},
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

// lifeMutants break how the lives of a log are told apart, and what is moved
// between partitions.
var lifeMutants = []mutant{
	{name: "topic-made-anew", line: "22", what: "a topic made anew goes on under the old shards",
		edits: []edit{{epochGo, "if t.ID != e.TopicID {", "if t.ID == \"\" {"}},
		pkg:   microbatchPkg, run: "Epoch"},
	{name: "log-end-below-commit", line: "23", what: "a log that ends below the commit is not noticed",
		edits: []edit{{epochGo, "if t.Ends[part] < commit {", "if t.Ends[part] < 0 {"}},
		pkg:   microbatchPkg, run: "Epoch"},
	{name: "other-partitions", line: "24", what: "another number of partitions is not noticed",
		edits: []edit{{epochGo, "if t.Partitions != e.Partitions {", "if t.Partitions < 0 {"}},
		pkg:   microbatchPkg, run: "Epoch"},
	{name: "gap-above-snapshot", line: "law 4", what: "a log that begins above the snapshot is not noticed",
		edits: []edit{{epochGo, "if t.Starts[part] > needed {", "if t.Starts[part] < 0 {"}},
		pkg:   microbatchPkg, run: "Epoch"},
	{name: "snapshot-gone-is-gap", line: "law 4", what: "who finds a chunk gone does not read the row again",
		edits: []edit{{stateGo, "if found && again == name {", "if found || again == name {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "covered-goes-back", line: "covered", what: "progress follows a commit that is behind",
		edits: []edit{{"microbatch/progress.go", "if p.mu.committed[partition] >= offset {", "if p.mu.committed[partition] == offset {"}},
		pkg:   microbatchPkg, run: "^TestProgressNeverGoesBack$"},
	{name: "moved-on-under-old-name", line: "28", what: "a record that is moved on in the next epoch keeps the name of where it lay first",
		edits: []edit{{processorGo, "Source: here,", "Source: from,"}},
		pkg:   worldsPkg, run: worldsRun},
}
