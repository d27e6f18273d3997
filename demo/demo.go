// Package demo holds the real access log that `speedlayer demo` imports. Its
// origin and licence are in NOTICE.md.
package demo

import _ "embed"

// AccessLog is the log, gzip-packed, in Apache's combined format.
//
//go:embed access.log.gz
var AccessLog []byte

// Host is the site that the log is of.
const Host = "semicomplete.com"
