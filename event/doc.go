// Package event is the pageview and the equiv edge: their fields, the rules by
// which a url becomes a page, and how they are written down on the queue. It
// imports nothing of speedlayer.
//
// What is wrong with a record is a [Rejection]: which field, a code to count by,
// and a text that reports what is allowed.
//
// Everything that is parsed here has a fast way for the usual case and hands
// the rest to a complete parser; fuzz tests show that both agree.
package event
