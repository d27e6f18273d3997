// Package layer ties the batch layer together: it does the work of batch runs
// (expire.Job) with the archive and the computation, and opens the views of runs
// for queries.
//
//	DIR/archive    the master dataset, unless it lies elsewhere
//	DIR/work       what a run under way has spilled; of one process
//	DIR/views      a folder for each run that is kept
//
// A run's folder is named in the pointer row (store.Run.Views), so of two that
// were made for one number, one is the run. On a cluster DIR/views is a folder
// that all processes share, and the archive a bucket or a shared folder.
//
// Views are opened once a run, and closed when no query reads them and no pointer
// that was seen names them.
package layer
