//go:build !race

package compute_test

const (
	worlds     = 40
	crashEvery = 1
	rowsSorted = 300_000
)
