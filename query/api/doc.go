// Package api serves the answers of a query.Engine over HTTP, and calls such a server.
//
//	server.go      Server and its Config
//	http.go        the calls, their answers and their errors
//	params.go      query parameters
//	pair.go        the body of a change of equiv edges
//	httpexport.go cellwriter.go  exports, streamed as JSON lines or CSV
//	live.go        live events: server-sent events after each commit
//	turns.go       how many queries run at once
//	client.go      Client, which answers by calling a server
//
// # Goroutines and locks
//
// The package starts no goroutine: a stream of live events runs in that of its
// request. One lock guards the number of streams.
package api
