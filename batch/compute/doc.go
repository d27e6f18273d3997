// Package compute is the batch run. From the master dataset up to a vector it
// recomputes the views each time, without any code of the views and operators of the
// speed layer. Both share only the definition of a pageview (event), the bytes of a
// cell (crdt), and the sketch library. So where both agree, two independent
// implementations of the same laws agree.
//
//	log -> scan -> persons -> cells -> batch/views
//
//	scan     by shard     hash rows that may be events; partition by canonical person
//	persons  by person    remove duplicates, find visits; partition by url
//	cells    by url       counts, sets and sketches by hour, day, week, month
//
// A stage is done unit by unit, with as many units at a time as there are workers. A
// unit writes one file with a stream for each unit of the next stage (spill.go). Once
// the index of the file exists, the unit is finished, also for a later process of the
// run. Only rows of a few 64-bit words are sorted: by radix and, where they do not
// fit in memory, in runs on disk that are merged (sorter.go). So memory is bounded
// whatever the size of the log, even if much of it belongs to one person or one url.
//
// # The steps in SQL
//
// steps.sql has each step in SQL, over the tables of the archive: the components of
// the edges by a recursive query; records rerouted a second time by a running maximum;
// duplicates by ROW_NUMBER; visits by lag and a running sum; cells by GROUP BY. A
// test runs it with DuckDB and compares every number. So an engine with SQL, such as
// Spark, can do the same.
package compute
