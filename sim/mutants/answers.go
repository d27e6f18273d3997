package main

const (
	readGo    = "query/read.go"
	coveredGo = "query/covered.go"
)

// answerMutants break what reads. Worlds ask between all steps.
var answerMutants = []mutant{
	{name: "oldest-generation-first", line: "15", what: "a query reads the oldest generation first",
		edits: []edit{{readGo, "\tslices.Reverse(r.generations)\n", ""}},
		pkg:   worldsPkg, run: "^TestQueriesAcrossMarker$"},
	{name: "pointer-not-read-again", line: "17", what: "a query does not look at the pointer again after the cells",
		edits: []edit{{readGo, "if answersChange(&r.pointer, &again) {", "if answersChange(&again, &again) {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "cells-before-commits", line: "17", what: "a query reads the cells first, then what they are said to cover",
		edits: []edit{{coveredGo, "func (e *Engine) covered(ctx context.Context, r *reading) (Covered, error) {\n",
			"func (e *Engine) covered(ctx context.Context, r *reading) (Covered, error) {\nif again, err := r.Reader.Commits(ctx); err == nil {\nr.commits = again\n}\n"}},
		pkg: worldsPkg, run: worldsRun},
	{name: "always-settled", line: "19", what: "an answer says that it is settled when cells are ahead of what is covered",
		edits: []edit{{coveredGo, "Settled: !r.ahead}", "Settled: true}"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "newest-generation-only", line: "30", what: "a query reads the newest generation only",
		edits: []edit{{readGo, "for _, g := range r.generations {", "for _, g := range r.generations[:1] {"}},
		pkg:   worldsPkg, run: worldsRun},
	{name: "error-is-empty", line: "law 9", what: "a generation that cannot be read is taken as empty",
		edits: []edit{{readGo, "return fmt.Errorf(\"generation %d: %w\", g, err)", "return nil"}},
		pkg:   worldsPkg, run: worldsRun},
}
