//go:build race

package compute_test

// Code that runs in one goroutine gives the race detector little to find.
const (
	worlds     = 8
	crashEvery = 10
	rowsSorted = 60_000
)
