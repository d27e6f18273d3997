// Package query answers questions about any range of hours: pageviews, unique
// visitors, bounce rate, top pages, domains, exports, status.
//
// # How an answer is made
//
// One [Engine] serves any number of callers. A query reads, in this order: the
// pointer row with the list of generations, the commit rows, each cell in the
// newest generation first and the oldest last, and the pointer row again. It
// starts again if the pointer has changed (design, law 9; read.go). Cells of all
// shards and generations are merged (law 1; merge.go): numbers are added, sets of
// visitors are merged, and persons are mapped to canonical persons by the equiv
// edges of this moment (law 8; edges.go). Every answer carries what it covers.
//
//	times.go    ranges of hours, as users write them
//	answers.go  requests and answers, their JSON, and the interface Answers
//	engine.go   Engine and its Config
//	read.go     one consistent reading of the store
//	covered.go  what the answer covers, lag, age
//	merge.go    sums and mergers by hour or day
//	counts.go uniques.go top.go domains.go export.go equivs.go status.go  the answers
//	edges.go canonical.go  equiv edges, and the canonical persons derived from them
//	errors.go   bad requests, the same over HTTP and on a command line
//	api/        the HTTP API, live events, and a client
//	active/     current visitors, which no view holds
//
// # Goroutines and locks
//
// The package starts no goroutine. Queries share the snapshot of the edges and
// a pool of mergers, and take no lock unless an edge has come since the last one.
package query
