package main

const (
	plannedGo      = "node/planned.go"
	plannedRunGo   = "node/plannedrun.go"
	sparkServerGo  = "spark/worker/server.go"
	sparkWorkerPkg = "spark/worker"
)

// sparkMutants break the worker beside Spark's executors.
var sparkMutants = []mutant{
	{name: "memory-after-a-copy-won", line: "law 4", what: "state in memory is used for a range that begins elsewhere",
		edits: []edit{{partitionGo, "if p.own == nil || p.own.proc.Next() != r.From {", "if p.own != nil {\np.own.proc.Advance(r.From)\n} else {"}},
		pkg:   "node", run: "^TestPlanned$"},
	{name: "commit-above-the-range", line: "law 2", what: "a range's commit covers what was polled and belongs to the next range",
		edits: []edit{{partitionGo, "\tif len(p.ahead) > 0 {\n\t\treturn until\n\t}\n\treturn min(p.own.reader.Position(), until)", "\treturn p.own.reader.Position()"}},
		pkg:   "node", run: "^TestPlanned$"},
	{name: "range-of-another-epoch", line: "law 6", what: "a range of a log epoch that has ended is run in it",
		edits: []edit{{plannedRunGo, "case int(number) < len(known)-1:", "case false:"}},
		pkg:   "node", run: "^TestPlannedEpochs$"},
	{name: "beats-of-the-dead", line: "law 8", what: "beats go on although a range makes no progress",
		edits: []edit{{sparkServerGo, "if time.Since(last) >= stalledAfter {", "if last.IsZero() {"}},
		pkg:   sparkWorkerPkg, run: "^TestBeats$"},
	{name: "nobody-cancels", line: "law 8", what: "a range goes on when Spark closes its connection",
		edits: []edit{{sparkServerGo, "\t\tdefer cancel() // whatever is at work\n", ""}},
		pkg:   sparkWorkerPkg, run: "^TestCancel$"},
	{name: "any-checkpoint", line: "law 6", what: "a checkpoint of another store is taken",
		edits: []edit{{plannedGo, "if at.Store != id {", "if false {"}},
		pkg:   "node", run: "^TestPlannedRejects$"},
	{name: "any-fingerprint", line: "law 6", what: "an executor works for a driver that works on another store",
		edits: []edit{{sparkServerGo, "if h.fingerprint != \"-\" && h.fingerprint != fingerprint {", "if false {"}},
		pkg:   sparkWorkerPkg, run: "^TestStrict$"},
}
