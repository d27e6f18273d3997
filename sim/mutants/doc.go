// Command mutants breaks the laws one by one and shows that a test notices.
//
// Each mutant is an edit of one or two places of the source, for one line of the
// list of ways in which the design was once wrong. It is compiled through an
// overlay, so the working tree is never touched, and must make its test fail.
//
//	go run ./sim/mutants           all of them, as a table; exit status 1 if one survives
//	go run ./sim/mutants NAME...   those alone, with what their tests printed
//	go run ./sim/mutants -list     their names
//
// A mutant whose text stands no longer exactly once in its file is stale: an
// error, not a success; so is one that does not compile.
package main
