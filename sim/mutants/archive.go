package main

const (
	archivePkg = "batch/archive"
	everyStep  = "^TestEveryStepFails$"

	copyGo     = "batch/archive/copy.go"
	dataFileGo = "batch/archive/datafile.go"
	acceptGo   = "batch/archive/accept.go"
	manifestGo = "batch/archive/manifest.go"
	switchGo   = "batch/archive/switch.go"
	cleanGo    = "batch/archive/clean.go"
	compactGo  = "batch/archive/compact.go"
	sourceGo   = "batch/archive/source.go"
	classifyGo = "batch/archive/classify.go"
)

// archiveMutants break the archive: a record must be in it once, a switch must be
// one archiver's, and nothing may go that anybody can read.
var archiveMutants = []mutant{
	{name: "archive-skips-record", line: "archive", what: "the first record of a turn is left out",
		edits: []edit{{copyGo, "if r.Offset < c.last {", "if r.Offset < c.last || len(c.log.Files) > 0 && r.Offset == c.log.End && c.file.Rows == 0 {"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-repeats-record", line: "archive", what: "the last record of a turn is archived again",
		edits: []edit{{copyGo, "if r.Offset < c.last {", "if false {"},
			{copyGo, "ReadAll(ctx, p.shard.Partition, from, to,", "ReadAll(ctx, p.shard.Partition, max(l.Start, from-1), to,"},
			{manifestGo, " || f.Rows <= 0 || f.Rows > f.To-f.From {", " {"}},
		pkg: archivePkg, run: everyStep},
	{name: "archive-names-what-is-not-there", line: "archive", what: "the manifest is switched though a file could not be stored",
		edits: []edit{{dataFileGo, "return o.Create(ctx, f.Name, d.temp, size)", "_ = o.Create(ctx, f.Name, d.temp, size)\nreturn nil"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-hole-inside", line: "archive", what: "a hole between two files is not noticed",
		edits: []edit{{manifestGo, "if f.From > at && at < to {", "if false {"}},
		pkg:   archivePkg, run: "^TestCoversNamesTheFirstHole$"},
	{name: "archive-hole-at-the-end", line: "archive", what: "it is not noticed that the archive ends early",
		edits: []edit{{manifestGo, "	if at = l.without(at); at < to {\n		return l.hole(at, to)\n	}\n", ""}},
		pkg:   archivePkg, run: "^TestCoversNamesTheFirstHole$"},
	{name: "archive-accepts-by-itself", line: "archive", what: "a loss that nobody has accepted is taken as accepted",
		edits: []edit{{acceptGo, "if lost.Accepted != nil && lost.From <= at", "if lost.From <= at"}},
		pkg:   archivePkg, run: "^TestCoversNamesTheFirstHole$"},
	{name: "archive-accepts-too-much", line: "archive", what: "accepting one loss accepts all of the shard",
		edits: []edit{{acceptGo, "if lost.Accepted != nil && lost.From <= at", "if l.Lost[len(l.Lost)-1].Accepted != nil && lost.From <= at"}},
		pkg:   archivePkg, run: "^TestAcceptLoss$"},
	{name: "archive-two-win", line: "archive", what: "who finds the number of its manifest taken goes on as if it were its own",
		edits: []edit{{switchGo, "	if errors.Is(err, objects.ErrExists) {\n		return errLost\n	}\n", "	if errors.Is(err, objects.ErrExists) {\n		return nil\n	}\n"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-old-number", line: "archive", what: "a number that was used and removed is taken for a new one",
		edits: []edit{{switchGo, "if err == nil && highest != m.Number {", "if err == nil && highest < m.Number {"}},
		pkg:   archivePkg, run: "^TestSleeperLoses$"},
	{name: "archive-goes-on-in-doubt", line: "archive", what: "after an error the archiver goes on from what it knew",
		edits: []edit{{"batch/archive/run.go", "			a.m = nil // what was made for it is of no use; see takeOver\n", ""},
			{compactGo, "			a.m = nil\n", ""}},
		pkg: archivePkg, run: everyStep},
	{name: "archive-drops-merged-at-once", line: "archive", what: "files that were merged go while manifests that are kept name them",
		edits: []edit{{cleanGo, "		if r.Number <= oldest {\n			old = append", "		if true {\n			old = append"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-drops-before-switch", line: "archive", what: "files go when their merged one is there, before the switch",
		edits: []edit{{compactGo, "	for _, f := range old {\n		next.Retired = append(", "	for _, f := range old {\n		_ = a.cfg.Objects.Delete(ctx, f.Name)\n		next.Retired = append("}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-sweeps-others", line: "archive", what: "files that are in no manifest go, also those of an archiver that took over since",
		edits: []edit{{cleanGo, "if ok && term < a.m.Term && !named[name] {", "if ok && term > 0 && !named[name] {"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-log-time-starts-over", line: "9", what: "log time starts over with each file",
		edits: []edit{{copyGo, "p.partitions, l.LogTime,", "p.partitions, 0,"}},
		pkg:   archivePkg, run: everyStep},
	{name: "archive-above-commit", line: "archive, 24", what: "an epoch that is over is read up to its commit, though the log has lost that and given the offsets away",
		edits: []edit{{sourceGo, "	case next.Starts[partition] < x.readable:\n		x.readable, x.lost = next.Starts[partition], \"the log lost its end\"\n	}", "	}"}},
		pkg:   archivePkg, run: "^TestEpochs$"},
	{name: "archive-misplaced-is-event", line: "21", what: "a record in another partition than its person's is archived as an event",
		edits: []edit{{classifyGo, "row.Kind = Misplaced.String()", "row.Kind = Pageview.String()"}},
		pkg:   archivePkg, run: "^TestEverythingComesBack$"},
}
