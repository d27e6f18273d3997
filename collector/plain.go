package collector

import (
	"bytes"
)

// A plain request is what clients that post in earnest send:
//
//	POST /api/v1/pageviews HTTP/1.1
//	Content-Type: application/json, or JSON lines
//	Content-Length: digits
//	and other fields out of a list of those that change nothing
//
// with all of it in plainBytes. That list, and not one of what is forbidden, is
// what keeps this parser and net/http from reading a request in two ways: any
// field, value or spelling that is not known here is net/http's.

// plainBytes is how large a plain request may be, with its head.
const plainBytes = 8 << 10

var plainLine = []byte("POST /api/v1/pageviews HTTP/1.1\r\n")

// verdict on the bytes that were read.
type verdict int

const (
	notPlain verdict = iota // net/http's
	partial                 // may become a plain request with more bytes
	whole                   // one plain request, and nothing behind it
)

// plainRequest is a plain request's body within the bytes that were read.
type plainRequest struct {
	begin, end int
	lines      bool
}

// parsePlain reads a plain request.
func parsePlain(b []byte) (r plainRequest, v verdict) {
	n := min(len(b), len(plainLine))
	if !bytes.Equal(b[:n], plainLine[:n]) {
		return r, notPlain
	}
	headEnd := bytes.Index(b, []byte("\r\n\r\n"))
	if headEnd < 0 {
		return r, partial
	}
	length, kind, host := -1, false, false
	for at := len(plainLine); at < headEnd+2; {
		end := at + bytes.Index(b[at:], []byte("\r\n"))
		name, value, ok := plainField(b[at:end])
		if !ok {
			return r, notPlain
		}
		at = end + 2
		switch name {
		case fieldHost:
			if host || len(value) == 0 || !plainHost(value) {
				return r, notPlain
			}
			host = true
		case fieldContentLength:
			if length >= 0 {
				return r, notPlain
			}
			if length = plainLength(value); length < 0 {
				return r, notPlain
			}
		case fieldContentType:
			if kind {
				return r, notPlain
			}
			kind = true
			switch string(value) {
			case "application/json":
			case "application/x-ndjson":
				r.lines = true
			default:
				return r, notPlain
			}
		case fieldConnection:
			if string(value) != "keep-alive" {
				return r, notPlain
			}
		}
	}
	if !host || length < 0 || !kind {
		return r, notPlain
	}
	r.begin, r.end = headEnd+4, headEnd+4+length
	switch {
	case r.end > plainBytes || len(b) > r.end: // large, or with another one behind it
		return r, notPlain
	case len(b) < r.end:
		return r, partial
	}
	return r, whole
}

// field is the name of a header field that plain requests may have.
type field int

const (
	fieldOther field = iota // changes nothing
	fieldHost
	fieldContentLength
	fieldContentType
	fieldConnection
)

// plainField splits a line into name and value, without the spaces around it.
func plainField(line []byte) (f field, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return 0, nil, false
	}
	if f, ok = fieldName(line[:colon]); !ok {
		return 0, nil, false
	}
	value = line[colon+1:]
	for _, c := range value {
		if c < ' ' || c >= 0x7f {
			return 0, nil, false
		}
	}
	return f, bytes.Trim(value, " "), true
}

// fieldName knows names in the two spellings that clients use: Content-Type and
// content-type.
func fieldName(name []byte) (field, bool) {
	switch string(name) {
	case "Host", "host":
		return fieldHost, true
	case "Content-Length", "content-length":
		return fieldContentLength, true
	case "Content-Type", "content-type":
		return fieldContentType, true
	case "Connection", "connection":
		return fieldConnection, true
	case "User-Agent", "user-agent", "Accept", "accept", "Accept-Encoding", "accept-encoding",
		"Accept-Language", "accept-language", "Origin", "origin", "Referer", "referer",
		"Traceparent", "traceparent", "Tracestate", "tracestate", "X-Request-Id", "x-request-id":
		return fieldOther, true
	}
	return 0, false
}

// plainHost takes names, addresses and ports.
func plainHost(value []byte) bool {
	for _, c := range value {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_') {
			return false
		}
	}
	return true
}

// plainLength reads up to four digits; -1 of anything else.
func plainLength(value []byte) int {
	if len(value) == 0 || len(value) > 4 {
		return -1
	}
	n := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
