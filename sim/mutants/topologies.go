package main

const (
	topologiesPkg = "sim/topologies"
	topologiesRun = "^TestTopologies$"

	topologyOperatorGo = "topology/operator.go"
	topologyCellsGo    = "topology/cells.go"
	topologyPacketGo   = "topology/packet.go"
	topologyUpdateGo   = "topology/update.go"
	topologyQueryGo    = "topology/query.go"
)

// topologyMutants break what holds for any topology.
var topologyMutants = []mutant{
	{name: "topology-applied-twice", line: "law 3", what: "events count into cells that have them: after a snapshot they are applied twice",
		edits: []edit{{topologyCellsGo, "if offset < s.version && (", "if offset < s.version && false && ("}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-read-without-version", line: "law 3", what: "a cell read from the store is taken as if it were new",
		edits: []edit{{topologyCellsGo, "\ts.version = version\n", "\ts.version = c.start\n"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-second-change", line: "law 3", what: "an event's second change of a cell is ignored",
		edits: []edit{{topologyCellsGo, "(s.flags&own == 0 || s.version != offset+1)", "(s.flags&own == 0 || s.version != offset)"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-no-names", line: "law 1", what: "a step's name is ignored in keys",
		edits: []edit{{"topology/topology.go", `return s.name + "/"`, `return "step/"`}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-no-hours", line: "law 1", what: "the hour is ignored in keys",
		edits: []edit{{topologyCellsGo, "URL: s.url, Hour: s.hour}", "URL: s.url}"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-by-loses-order", line: "law 5", what: "a By forwards the entries of an event in another order",
		edits: []edit{{topologyPacketGo, "last.Value = append(last.Value, r.packed[e.begin:e.end]...)",
			"last.Value = append(append([]byte{packetVersion}, r.packed[e.begin:e.end]...), last.Value[1:]...)"}},
		pkg: topologiesPkg, run: topologiesRun},
	{name: "topology-packets-out-of-order", line: "28", what: "packets of a batch are sent in another order",
		edits: []edit{{topologyOperatorGo, "dst = append(dst, o.ready...)",
			"for i := range o.ready {\n\t\tdst = append(dst, o.ready[len(o.ready)-1-i])\n\t}"}},
		pkg: topologiesPkg, run: topologiesRun},
	{name: "topology-record-for-each-entry", line: "law 5", what: "an event sends several records to one partition, with one source",
		edits: []edit{{topologyPacketGo, "if i == 0 || e.stage != r.entries[i-1].stage || e.target != r.entries[i-1].target {", "if i >= 0 {"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-source-without-partition", line: "law 5", what: "a packet does not say which partition its event lies in",
		edits: []edit{{processorGo, "from.Epoch, from.Partition = p.cfg.Shard.Epoch, p.cfg.Shard.Partition", "from.Epoch = p.cfg.Shard.Epoch"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-top-forgets", line: "law 2", what: "a top list keeps only the values that it shows",
		edits: []edit{{topologyUpdateGo, "\tt[v]++\n", "\tif _, ok := t[v]; ok || len(t) < 2 {\n\t\tt[v]++\n\t}\n"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-memory-lost", line: "law 4", what: "a snapshot does not have what steps remember",
		edits: []edit{{"topology/remember.go", "dst = appendSized(dst, string(m.appendState(nil)))", "dst = appendSized(dst, string(m.appendState(nil)[:0]))"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-memory-skips-replay", line: "law 4", what: "below the commit, steps do not remember",
		edits: []edit{{topologyOperatorGo, "\tfor _, l := range o.run.later {\n", "\tfor _, l := range o.run.later[:len(o.run.later)*int(min(1, max(0, event+1)))] {\n"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-takes-all-for-new", line: "11", what: "who takes over does not look for cells in the store",
		edits: []edit{{topologyCellsGo, "*p = presence{any: true}", "*p = presence{}"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-forgets-evicted", line: "10", what: "a cell that left the cache is not looked for",
		edits: []edit{{topologyCellsGo, "c.known.gone(s.hash)", "_ = s.hash"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-one-shard", line: "law 1", what: "a read takes one partition's part of a count",
		edits: []edit{{topologyQueryGo, "now.n += n", "now.n = n"}},
		pkg:   topologiesPkg, run: topologiesRun},
	{name: "topology-newest-generation", line: "30", what: "a read takes the newest generation only",
		edits: []edit{{topologyQueryGo, "for _, g := range s.lists[of.stage.number] {\n\t\terr :=", "for _, g := range s.lists[of.stage.number][:1] {\n\t\terr :="}},
		pkg:   topologiesPkg, run: topologiesRun},
}
