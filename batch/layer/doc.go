// Package layer ties the batch layer together: it does the work of batch runs
// (batch.Job) with the archive and the computation, and opens the views of runs
// for queries.
//
//	DIR/archive    the master dataset, unless it lies elsewhere
//	DIR/work       what a run under way has spilled; of one process
//	DIR/views      a folder for each run that is kept
//
// A run's folder is named in the pointer row (store.Run.Views), so of two that
// were made for one number, one is the run. On a cluster the archive is a bucket or
// a shared folder. DIR/views is a folder that all processes share, or else the
// views lie in an object store too (Config.Views, shelf.go): a run puts them there
// before it is complete, and each process fetches into its own DIR/views what it
// reads.
//
// Views are opened once a run, and closed when no query reads them and no pointer
// that was seen names them.
package layer
