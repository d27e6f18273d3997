package event

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// AppendPage appends to dst the page that a url stands for: host and path, as
// in foo.com/about. The url is parsed as browsers do (WHATWG URL standard, no
// base); what does not tell pages apart is dropped. Doing it again to
// "http://" + page changes nothing. Errors are *Rejection; dst is then as it was.
func AppendPage(dst, raw []byte) ([]byte, error) {
	if page, ok := cleanPage(dst, raw); ok {
		return page, nil
	}
	page, err := parsePage(raw)
	if err != nil {
		return dst, err
	}
	return append(dst, page...), nil
}

// Page is AppendPage for strings.
func Page(raw string) (string, error) {
	page, err := AppendPage(nil, []byte(raw))
	return string(page), err
}

// What a byte of a clean url may be.
const (
	hostByte = 1 << iota // lower-case host, dots included
	pathByte             // of a path: nothing that must be encoded or decoded
)

var byteClass = makeByteClass()

func makeByteClass() (c [256]uint8) {
	for b := 'a'; b <= 'z'; b++ {
		c[b] = hostByte | pathByte
		c[b-'a'+'A'] = pathByte
	}
	for b := '0'; b <= '9'; b++ {
		c[b] = hostByte | pathByte
	}
	for _, b := range "-." {
		c[b] = hostByte | pathByte
	}
	for _, b := range "_~!$&'()*+,;=:@/" {
		c[b] |= pathByte
	}
	return c
}

// cleanPage takes urls that are clean already: a lower-case name as host, no
// port, and a path that needs no encoding and has no dot segments. It reports
// false for all others.
func cleanPage(dst, raw []byte) ([]byte, bool) {
	if len(raw) > MaxURL {
		return dst, false
	}
	var rest []byte
	switch {
	case bytes.HasPrefix(raw, []byte("https://")):
		rest = raw[8:]
	case bytes.HasPrefix(raw, []byte("http://")):
		rest = raw[7:]
	default:
		return dst, false
	}
	n := 0
	for n < len(rest) && byteClass[rest[n]]&hostByte != 0 {
		n++
	}
	host := rest[:n]
	rest = rest[n:]
	if !cleanHost(host) {
		return dst, false
	}
	for bytes.HasPrefix(host, []byte("www.")) && bytes.IndexByte(host[4:], '.') >= 0 {
		host = host[4:]
	}
	n = 0
	dots := false // a segment that begins with a dot
	for n < len(rest) && byteClass[rest[n]]&pathByte != 0 {
		dots = dots || rest[n] == '.' && rest[n-1] == '/' // rest[0] is not a dot: the host ends before it
		n++
	}
	path, behind := rest[:n], rest[n:]
	if dots || len(path) > 0 && path[0] != '/' {
		return dst, false
	}
	if len(behind) > 0 {
		if c := behind[0]; c != '?' && c != '#' || !utf8.Valid(behind) {
			return dst, false
		}
	}
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	if len(host)+max(1, len(path)) > MaxPage {
		return dst, false
	}
	dst = append(dst, host...)
	if len(path) == 0 {
		return append(dst, '/'), true
	}
	return append(dst, path...), true
}

// cleanHost reports whether a lower-case host is a name that stays as it is:
// no empty or long label, and a last one that cannot be a number.
func cleanHost(host []byte) bool {
	if len(host) == 0 || len(host) > 253 {
		return false
	}
	label := 0 // where the current label begins
	for i, c := range host {
		if c == '.' {
			if i == label || i-label > 63 {
				return false
			}
			label = i + 1
		}
	}
	last := len(host) - label
	return last > 0 && last <= 63 && host[label] >= 'a'
}

// DomainOf is the host and port of a page, a prefix of it.
func DomainOf(page []byte) []byte { return page[:bytes.IndexByte(page, '/')] }

// ParseTarget reads what people mean by a url in a query: a text with neither
// a slash nor a scheme is a domain, everything else a page, whose scheme may be
// left out. A route in the fragment is a part of the page, as in [WithRoute].
func ParseTarget(text string) (url string, isDomain bool, err error) {
	if !strings.ContainsAny(text, `/\`) && !hasScheme(text) {
		url, err = Domain(text)
		return url, true, err
	}
	if text[0] == '/' || text[0] == '\\' {
		return "", false, reject("url", CodeURL, "%q has no host: allowed is a page as in foo.com/about, or a domain", cut([]byte(text)))
	}
	url, err = Page(WithRoute(withScheme(text)))
	return url, false, err
}

// Domain reads a domain: a host, or host:port.
func Domain(text string) (string, error) {
	if strings.ContainsAny(text, `/\?#@`) {
		return "", reject("domain", CodeURL, "%q is not a domain: allowed is a host, as in foo.com, or with a port", cut([]byte(text)))
	}
	page, err := Page("http://" + text)
	if err != nil {
		return "", err
	}
	return page[:len(page)-1], nil // a host alone is a root page
}

// hasScheme tells "mailto:x" and "http:foo" from a host and port.
func hasScheme(text string) bool {
	i := strings.IndexByte(text, ':')
	if i <= 0 {
		return false
	}
	for n, c := range []byte(text[:i]) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (n == 0 || c != '+' && c != '-' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	rest := text[i+1:]
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		if end > 0 && strings.Trim(rest[:end], "0123456789") == "" {
			return false // foo.com:8080/about
		}
		return true
	}
	return rest != "" && strings.Trim(rest, "0123456789") != ""
}

func withScheme(text string) string {
	if hasScheme(text) {
		return text
	}
	return "http://" + text
}
