// Package views holds the result of one batch run: immutable files with the
// three views of everything up to the run's vector, indexed by (view,
// granularity, url, bucket), as the lecture's key (url, granularity) has it.
//
//	dir/
//	  part-0000.sst ...   cells; a url's lie in the part that its hash names
//	  persons.bin         who is whom, by the run's equiv edges
//	  run.json            written last, under its name by one rename
//
// run.json names every other file with its length and checksum, so a directory
// is a complete run exactly if it has one. Nothing in it is ever changed: what
// a query process has opened stays as it is, and copying the files copies the
// run. The bytes are a function of the cells alone.
//
// Cells hold the same three views as the realtime ones (view/ids.go), a domain
// is a url like a page:
//
//	pageviews  crdt count
//	uniques    crdt visitors: hashes of raw persons up to 2,048, so that edges
//	           that come later count; above it a sketch of canonical persons,
//	           by the run's edges ([Views.Canonical])
//	bounces    [Visits], of a domain: by raw persons and by canonical ones
//
// A cell stands for a bucket of one of four lengths. A long range is read in
// few large pieces and small ones at its ends ([Cover]), so a year of one url
// is some thirty reads.
//
// The tables are Pebble's sstables: sorted blocks of prefix-compressed keys
// under an index, each block with its checksum, which is checked whenever the
// block is read.
package views
