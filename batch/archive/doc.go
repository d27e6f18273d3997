// Package archive is the master dataset: the raw log, written once and for ever
// into Parquet files, from which the batch layer recomputes everything.
//
//	manifest/00000000000000000012.json     which files are the archive; the highest number counts
//	pageviews/epoch-E/partition-P/day=D/FROM-TO.TERM-SERIAL.parquet
//	equivs/epoch-LIFE/partition-0/day=D/FROM-TO.TERM-SERIAL.parquet
//
// An Archiver follows the log and writes the archive; an Archive reads it. Both use
// Objects: a folder, or a bucket of an object store. Nothing is ever changed in
// place. Complete files are created under unique names, and then a manifest that
// names them is created under a number that nobody else can take. So a crash leaves
// at most files that no manifest names, and of two archivers at once the one that
// took over last continues.
package archive
