package main

const (
	viewPkg       = "view"
	pebbleMergeGo = "store/pebble/merge.go"
	viewRun       = "^(TestRandomLogs|TestSketchInBatches)$"
)

// deltaMutants break what is written of a set that grew, and how it is merged.
var deltaMutants = []mutant{
	{name: "delta-forgets-newest", line: "delta", what: "a delta leaves out who came last",
		edits: []edit{{uniquesGo, "for at := s.added; at != 0; {", "for at := c.added[s.added-1].before; at != 0; {"}},
		pkg:   viewPkg, run: viewRun},
	{name: "delta-goes-on", line: "delta", what: "a delta goes on after the last put, with what others' persons lie there now",
		edits: []edit{{uniquesGo, "\t\t\ts.added = 0\n", ""}},
		pkg:   viewPkg, run: viewRun},
	{name: "deltas-counted-from-reading", line: "delta", what: "deltas of a cell that was read take the places of those that it had",
		edits: []edit{{uniquesGo, "if c.deltas < store.Unlimited {", "if c.deltas < 0*store.Unlimited {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "delta-without-whole", line: "delta", what: "a new cell's first put is a delta",
		edits: []edit{{uniquesGo, "part*int(s.since) >= n ||", "n >= largeSet && part*int(s.since) >= n ||"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "merge-of-lowest-version", line: "delta", what: "a set merged with deltas has the oldest part's version",
		edits: []edit{{pebbleMergeGo, "u.version = max(u.version, version)", "if u.version == 0 || version < u.version {\nu.version = version\n}"}},
		pkg:   pebblePkg, run: conformance},
	{name: "deltas-without-set", line: "delta", what: "deltas merged by a compaction are taken for the whole set",
		edits: []edit{{pebbleMergeGo, "complete := includesBase || u.whole != nil", "complete := true"}},
		pkg:   pebblePkg, run: "^TestMergingIsAssociative$"},
	{name: "addition-of-a-zombie", line: "delta", what: "a batch adds though the shard was committed by another since",
		edits: []edit{{applyGo, "sh.committed != b.After &&", "sh.committed < b.After &&"}},
		pkg:   pebblePkg, run: conformance},
	{name: "addition-added-again", line: "delta", what: "an addition has what an earlier one added",
		edits: []edit{{"view/pageviews.go", "\t\t\ts.views.n = 0 // the next put adds what comes from here on\n", ""}},
		pkg:   viewPkg, run: viewRun},
	{name: "partial-set-is-whole", line: "delta", what: "a set of which only a part is known is put as the whole",
		edits: []edit{{uniquesGo, "if !s.partial && c.worthWhole(s) {", "if c.worthWhole(s) {"}},
		pkg:   viewPkg, run: viewRun},
	{name: "partial-slot-forgotten", line: "delta", what: "a page that comes back is taken for a new one",
		edits: []edit{{"view/cells.go", "c.slots[i].partial = true", "c.slots[i].partial = false"}},
		pkg:   viewPkg, run: viewRun},
}
