// Package batch coordinates batch runs: from a marker in the log to the pointer
// that makes queries use the run's views (design, law 7). What a run computes, and
// where from, is a [Job]; package batch/layer is the one of web analytics. Epochs,
// generations and the pointer row are those of package catalog. A run
//
//	takes a number            compare-and-set
//	makes its table
//	enters the list           compare-and-set
//	appends its markers       to every partition; then a compare-and-set
//	reads its vector          from the log (vector.go); then a compare-and-set
//	has the archive cover it  a hole is an error
//	has the views computed    and opened, and checked
//	switches                  one compare-and-set: queries use them
//	retires                   generations leave the list (retire.go): a
//	                          compare-and-set; later they are dropped, whole
//
// Each compare-and-set compares with the counter that the run's own last change
// left: so a second run, one that took this one over, a change of settings or a
// rollback makes it fail. A run that failed stays in the pointer
// row and is done again under its own number, from the step that it had reached.
//
// What the run before needs stays until the next one completes: all generations
// from its number on, and its views.
package batch
