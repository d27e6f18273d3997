// Package expire holds the protocol by which generations of realtime views
// begin and end: the pointer row, and the markers in the log (DESIGN, law 7).
//
// Today a generation begins when the settings that change results do. When the
// batch layer is there, each of its runs begins one too, and the generations
// that a completed run has absorbed leave the list here, and are dropped.
package expire
