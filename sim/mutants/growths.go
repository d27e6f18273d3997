package main

const (
	viewPkg = "view"
	flushGo = "view/flush.go"
	unionGo = "store/pebble/union.go"
	viewRun = "^(TestRandomLogs|TestSketchInBatches)$"
)

// growthMutants break what is written of a set that grew, and how it is united.
var growthMutants = []mutant{
	{name: "growth-forgets-newest", line: "growth", what: "a growth leaves out who came last",
		edits: []edit{{flushGo, "for at := s.added; at != 0; {", "for at := c.added[s.added-1].before; at != 0; {"}},
		pkg:   viewPkg, run: viewRun},
	{name: "growth-goes-on", line: "growth", what: "a growth goes on behind the last put, with what others' persons lie there now",
		edits: []edit{{flushGo, "\t\t\ts.added = 0\n", ""}},
		pkg:   viewPkg, run: viewRun},
	{name: "growths-counted-from-reading", line: "growth", what: "growths of a cell that was read take the places of those that it had",
		edits: []edit{{cellsGo, "if c.growths < store.Unlimited {", "if false {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "growth-without-whole", line: "growth", what: "a new cell's first put is a growth",
		edits: []edit{{flushGo, "part*int(s.since) >= n ||", "n >= largeSet && part*int(s.since) >= n ||"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "union-of-lowest-version", line: "growth", what: "a set united with growths has the oldest part's version",
		edits: []edit{{unionGo, "u.version = max(u.version, version)", "if u.version == 0 || version < u.version {\nu.version = version\n}"}},
		pkg:   pebblePkg, run: conformance},
	{name: "growths-without-set", line: "growth", what: "growths united by a compaction are taken for the whole set",
		edits: []edit{{unionGo, "if !includesBase && u.set == nil {", "if false {"}},
		pkg:   pebblePkg, run: "^TestUnionIsAssociative$"},
}
