// Package load posts to an HTTP server as fast as it answers: a load generator
// that takes as little of the machine as it can, since it runs on the one that
// it measures.
//
// Each connection is one goroutine that writes a request whose bytes are ready,
// reads the answer, and writes the next: keep-alive, without pipelining. It
// reads of HTTP what it needs: the status and the length of the body.
package load
