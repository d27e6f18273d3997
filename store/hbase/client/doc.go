// Package client speaks HBase's protocol through gohbase, with requests of its
// own for many rows at once. It knows tables, rows and cells, and nothing of what
// they mean.
//
// A [Client] reaches the region servers, a [Master] the active master. Both may
// be used by several goroutines at once.
//
//	client.go     deadlines, retries, and a new connection when one is stuck
//	requests.go   many rows, one row, check-and-put
//	multi.go      the request for many rows of one region, in bytes
//	scan.go       one page of a scan
//	keyvalue.go   cells on the wire, in bytes
//	batchsize.go  how many rows a request may hold
//	master.go     requests to the master: tables, the cluster's status
//	zookeeper.go  where HBase is, checked before gohbase uses it
//	guard.go      gohbase may not end the process
package client
