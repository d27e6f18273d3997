package main

const (
	computePkg = "batch/compute"
	computeRun = "^(TestRunIsTheOracles|TestSketches)$"
	resumeRun  = "^(TestResume|TestDamagedSpill|TestCrashAtEveryChange)$"

	scanGo       = "batch/compute/scan.go"
	batchVisits  = "batch/compute/visits.go"
	batchCells   = "batch/compute/cells.go"
	batchSets    = "batch/compute/sets.go"
	batchRun     = "batch/compute/run.go"
	batchSpill   = "batch/compute/spill.go"
	batchPersons = "batch/compute/persons.go"
	batchWriter  = "batch/views/writer.go"
	batchScan    = "batch/views/scan.go"
)

// batchMutants break the batch run and the views that it makes.
var batchMutants = []mutant{
	{name: "batch-keeps-the-last", line: "law 5", what: "of records with equal nonce and person the last one counts",
		edits: []edit{{batchVisits, "row := numbered{e[0], e[1], place,", "row := numbered{e[0], e[1], ^place,"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-dedupe-by-nonce-alone", line: "law 5", what: "equal nonces of two persons are one pageview",
		edits: []edit{{batchVisits, "e[0] == last[0] && e[1] == last[1] {", "e[0] == last[0] {"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-counts-misplaced", line: "21", what: "the batch run counts the misplaced original too",
		edits: []edit{{scanGo, "case b.Kind[i] == archive.Pageview:", "case b.Kind[i] == archive.Pageview || b.Kind[i] == archive.Misplaced:"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-rerouted-again", line: "20, 27", what: "the batch run does not look at where records were rerouted from",
		edits: []edit{{scanGo, "had && m.Offset <= last {", "had && m.Offset < 0*last {"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-visit-gap", line: "law 6", what: "exactly thirty minutes end a visit of the batch run",
		edits: []edit{{batchVisits, "ts-s.last <= visitGap {", "ts-s.last < visitGap {"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-raw-for-canonical", line: "25", what: "visits by raw persons and by canonical ones are swapped",
		edits: []edit{{batchVisits, "if canonical {\n\t\trow[3], row[4] = 0, n", "if !canonical {\n\t\trow[3], row[4] = 0, n"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-day-one-late", line: "buckets", what: "the last hour of a day counts into the next",
		edits: []edit{{batchCells, "(g + 1).Bucket(l.bucket * g.Hours())", "(g + 1).Bucket(l.bucket*g.Hours() + 1)"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-sketch-of-raw", line: "law 8", what: "a set that becomes a sketch keeps raw persons",
		edits: []edit{{batchSets, "for _, h := range s.raw {\n\t\ts.sketch.Add(c.of(h))", "for _, h := range s.raw {\n\t\ts.sketch.Add(h)"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-edge-for-ever", line: "law 8", what: "an edge that was taken back holds in the batch run",
		edits: []edit{{batchPersons, "[2]string{a, b}] = !e.Retract", "[2]string{a, b}] = true"}},
		pkg:   computePkg, run: computeRun},
	{name: "batch-scan-one-pack", line: "views", what: "a scan does not go on to the next pack of a url's cells",
		edits: []edit{{batchScan, "if err != nil || !more {", "if err != nil || more {"}},
		pkg:   "batch/views", run: "^TestScans$"},
	{name: "batch-work-of-another", line: "resuming", what: "what another vector's run spilled is used",
		edits: []edit{{batchRun, "fmt.Sprint(formatVersion, r.key, r.parts)", "fmt.Sprint(formatVersion, r.parts)"}},
		pkg:   computePkg, run: resumeRun},
	{name: "batch-spill-unchecked", line: "resuming", what: "checksums of what was spilled are not looked at",
		edits: []edit{{batchSpill, "if m < n || xxh3.Hash(buf[:n]) != binary.LittleEndian.Uint64(r.index[i+8:]) {", "if m < 0 {"}},
		pkg:   computePkg, run: resumeRun},
	{name: "batch-result-not-synced", line: "resuming", what: "a run is said to be complete before its name is durable",
		edits: []edit{{batchRun, "if err := views.SyncDir(r.fs, r.in.OutDir); err != nil {", "if err := error(nil); err != nil {"}},
		pkg:   computePkg, run: resumeRun},
}
