// Package importer takes files into the queue: access logs, and JSON lines.
//
// Each line of an access log is a pageview of its own, equal lines too. Its
// nonce is made from the host, the file's first line, the line's position in the
// unpacked file, and its bytes: so importing a file again, grown, renamed or packed,
// is harmless: what the log has is not sent again (package imports). The order of a person's lines is kept.
//
// A file is unpacked (unpack.go), split into lines (lines.go), its format found
// or given (file.go), each line classified (classify.go), and what counts is sent
// (send.go).
//
// Nothing in a file stops an import: lines that are not pageviews, and broken
// ones, are counted by reason, with the first examples of each. What ends the
// reading of one file stands in its report; the other files are read.
package importer
