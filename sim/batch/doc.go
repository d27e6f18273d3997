// Package batch is a batch layer in memory, for simulations: the runs of an
// batch.Runs are computed by verify/oracle, and their views read from maps. It
// shares no code with the real one.
package batch
