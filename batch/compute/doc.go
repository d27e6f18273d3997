// Package compute is the batch run: from the master dataset up to a vector it
// computes the views anew, each time, with no code of the speed layer's views
// and operators. What both share is what a pageview is (event), what a cell's
// bytes are (crdt), and the sketch library. So where both agree, two writings of
// the same laws do.
//
//	log -> scan -> persons -> cells -> batch/views
//
//	scan     by shard     rows that may be events, hashed; by canonical person
//	persons  by person    duplicates go, visits are found; by url
//	cells    by url       counts, sets and sketches by hour, day, week, month
//
// A stage is done unit by unit, as many at a time as there are workers. What a
// unit hands on is one file with a stream for each unit of the next stage
// (spill.go); once its index stands, the unit is finished, also for another
// life of the run. All that is sorted are rows of a few 64-bit words, by radix
// and, where they do not fit, in runs on disk that are merged (sorter.go). So
// memory is bounded whatever the size of the log, and however much of it is one
// person's or one url's.
//
// # The steps, as SQL says them
//
// steps.sql has each step as SQL says it, over the archive's tables: the edges'
// components by a recursive query; what was moved a second time by a running
// maximum; duplicates by ROW_NUMBER; visits by lag and a running sum; cells by
// GROUP BY. A test runs it with DuckDB and compares every number. So an engine
// that has SQL, as Spark, can do the same.
package compute
