// Package httpserver is an http.Server with the limits and headers that every
// path of speedlayer has: deadlines and minimum rates for reading and writing,
// and protection against other sites' pages. Handlers set none of that
// themselves.
//
//	ReadTimeout of net/http   10 s for the head and the first part of a body
//	pacedBody (read.go)       from then on a body needs a minimum rate
//	pacedConn (write.go)      a client that reads has one too
//	protect (protect.go)      headers, and requests that other sites' pages make
package httpserver
