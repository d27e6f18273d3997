// Package batch is a batch layer in memory, for simulations: the runs of an
// expire.Runs are computed by verify/oracle, and their views read from maps. It
// shares no code with the real one.
package batch
