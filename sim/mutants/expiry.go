package main

const (
	runGo    = "batch/run.go"
	vectorGo = "batch/vector.go"
	retireGo = "batch/retire.go"
	mergeGo  = "query/merge.go"
	queryPkg = "query"
)

// runMutants break batch runs, and what answers make of them.
var runMutants = []mutant{
	{name: "switch-before-views", line: "law 7", what: "a run switches before its views are there",
		edits: []edit{{runGo, "if run.Views, err = a.Job.Compute(ctx, *run); err != nil {", "if err != nil {"},
			{runGo, "if err := a.Job.Check(ctx, *run); err != nil {", "if err != nil {"}},
		pkg: worldsPkg, run: worldsRun},
	{name: "vector-one-late", line: "14", what: "the vector begins one record late",
		edits: []edit{{vectorGo, "behind = r.Offset + 1", "behind = r.Offset + 2"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "vector-one-late-by-commit", line: "14", what: "the same, where the commit record says it",
		edits: []edit{{vectorGo, "return rec.GenerationStart, nil", "return rec.GenerationStart + 1, nil"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "vector-from-append", line: "34", what: "the vector is where the log ended when the markers were in",
		edits: []edit{{vectorGo, "return v.behindMarker(ctx, shard, from, generation)", "_ = from + int64(generation)\nreturn v.info.Ends[part], nil"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "vector-of-last-marker", line: "34", what: "of several markers of a run the last one counts for the vector",
		edits: []edit{{vectorGo, "if !ok || err != nil || m.Generation <= newest {", "if !ok || err != nil || m.Generation < newest {"},
			{vectorGo, "if newest >= v.number {", "if newest > v.number {"}},
		pkg: worldsPkg, run: worldsRun},
	{name: "table-after-list", line: "35", what: "a generation is in the list before its table is made",
		edits: []edit{{runGo, "if err := a.Store.CreateGeneration(ctx, n); err != nil {", "if err := ctx.Err(); err != nil {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "switch-by-fresh-counter", line: "38", what: "a run compares with the counter read just before, not with its own last one",
		edits: []edit{{runGo, "\tnext, err := catalog.UpdateFrom(ctx, a.Store, a.p, change)\n",
			"\tfrom := a.p\n\tif now, err := a.Store.Pointer(ctx); err == nil {\n\t\tfrom.Counter = now.Counter\n\t}\n\tnext, err := catalog.UpdateFrom(ctx, a.Store, from, change)\n"}},
		pkg: worldsPkg, run: worldsRun},
	{name: "dropped-at-switch", line: "18, 29", what: "what the run before needs leaves with the switch",
		edits: []edit{{retireGo, "left[0] < p.Previous.Number {", "left[0] < p.Current.Number {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "dropped-before-leaving", line: "17", what: "the lowest generation of the list is dropped too",
		edits: []edit{{retireGo, "if g >= p.Generations[0] {", "if g > p.Generations[0] {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "stale-keep", line: "law 7", what: "a slow look at the pointer removes the views of a run that came since",
		edits: []edit{{retireGo, "kept(&p), p.Next)", "kept(&p), 1<<32-1)"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "absorbed-read-too", line: "law 7", what: "a query reads generations that its run has absorbed",
		edits: []edit{{readGo, "r.generations = r.generations[first:]", "_ = first"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "raw-and-canonical-swapped", line: "25", what: "an open hour has the canonical visits under it, another the raw ones",
		edits: []edit{{mergeGo, "\tif open {\n", "\tif !open {\n"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "canonical-under-open", line: "25", what: "an open hour has the canonical visits under it",
		edits: []edit{{mergeGo, "\tif open {\n", "\tif false && open {\n"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "batch-edges-only", line: "law 8", what: "persons of batch views are resolved by the run's edges only",
		edits: []edit{{"query/uniques.go", "as := w.now\n", "as := w.run\n"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "sketch-by-other-edges", line: "law 8", what: "persons that are merged with a sketch of a run are resolved by other edges than its own",
		edits: []edit{{"query/uniques.go", "if v.byRun {", "if false {"}},
		pkg:   queryPkg, run: "^TestOracleBatchSketch$"},
	{name: "views-left-out", line: "law 9", what: "batch views that cannot be opened are taken as empty",
		edits: []edit{{readGo, "return e.changedSince(ctx, &r.pointer, err)", "r.views = nil"}},
		pkg:   queryPkg, run: "^TestViewsAreNeverEmpty$"},
}
