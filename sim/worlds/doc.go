// Package worlds runs tiny worlds: a log of one or two partitions and ten to
// twenty records, read by several processors at once that are cut short, take
// over from each other, and write to a store whose puts arrive in any order,
// late, or never. The processors, views and cells are the real ones; the log
// and the store are models of a hundred lines.
//
// Every put that arrives is compared with what the oracle says of that cell at
// that version; every commit row with what must be in the store by then. Small
// worlds find in seconds what long simulations do not: most laws break within
// three events, if those three meet in the right order.
//
// A world is a function of a list of small numbers, its choices. A test draws
// them at random and, when a world fails, looks for a shorter list that still
// fails, and prints what happened in it step by step.
package worlds
