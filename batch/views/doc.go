// Package views holds the result of one batch run: immutable files with the
// three views of everything up to the run's vector, indexed by (view,
// granularity, url, bucket), like the key (url, granularity) in the lecture.
//
//	dir/
//	  part-0000.sst ...   cells; the hash of a url selects its part
//	  persons.bin         canonical persons by the equiv edges of the run
//	  run.json            written last; one rename gives it its name
//
// run.json names every other file with its length and checksum. So a directory
// is a complete run exactly if it has this file. Nothing in a run is ever changed:
// what a query process has opened stays as it is, and copying the files copies the
// run. The bytes are a function of the cells alone.
//
// Cells hold the same three views as the realtime ones (view/ids.go). A domain
// is a url like a page:
//
//	pageviews  crdt count
//	uniques    crdt visitors: hashes of raw persons up to 2,048, so that edges
//	           that come later count; above it a sketch of canonical persons,
//	           by the run's edges ([Views.Canonical])
//	bounces    [Visits], of a domain: by raw persons and by canonical ones
//
// A cell stands for a bucket of one of four lengths. A long range is read as a
// few large buckets and small ones at its ends ([Cover]), so a year of one url
// takes about thirty reads.
//
// The tables are Pebble's sstables: sorted blocks of prefix-compressed keys
// under an index. Each block has a checksum, which is checked whenever the
// block is read.
package views
