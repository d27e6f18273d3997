// Package descriptors divides the file descriptors that the process may open.
//
// A connection takes one, and clients decide how many there are. The log and the
// store need some at any moment: for a new file, or to read an old one. So
// connections have a bound, and what is left is the reserve of the rest.
package descriptors
