package event

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nlnwa/whatwg-url/url"
)

// parsePage is the whole rule. The library cuts the url up by the standard's
// state machine. Hosts go through parseHost instead, since for a host that is
// ASCII already the library decodes and checks labels, and for one that is not
// it rejects ASCII that is not a letter, digit or hyphen; the standard's non-strict
// processing does neither.
func parsePage(raw []byte) (string, error) {
	domain, path, err := parseURL(raw)
	if err != nil {
		return "", err
	}
	path = strings.TrimRight(path, "/")
	if path == "" {
		path = "/"
	}
	if n := len(domain) + len(path); n > MaxPage {
		return "", reject("url", CodeTooLong, "its page has %d bytes: allowed are %d", n, MaxPage)
	}
	return domain + path, nil
}

// parseURL returns host and port, and the normalised path with all its slashes.
func parseURL(raw []byte) (domain, path string, err error) {
	if len(raw) > MaxURL {
		return "", "", reject("url", CodeTooLong, "has %d bytes: allowed are %d", len(raw), MaxURL)
	}
	if !utf8.Valid(raw) {
		return "", "", reject("url", CodeUTF8, "is not UTF-8")
	}
	var host string
	parser := url.NewParser(url.WithPreParseHostFunc(func(_ *url.Url, h string) string {
		host = h
		return "host"
	}))
	u, err := parser.Parse(string(raw))
	if err != nil {
		return "", "", badURL(raw, strings.TrimPrefix(err.Error(), "Error: "))
	}
	if s := u.Scheme(); s != "http" && s != "https" {
		return "", "", reject("url", CodeURL, "%q has the scheme %q: allowed are http and https", cut(raw), s)
	}
	name, why := parseHost(host)
	if why != "" {
		return "", "", badURL(raw, why)
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		name += ":" + port
	}
	return name, normalPath(u.Pathname()), nil
}

func badURL(raw []byte, why string) error {
	return reject("url", CodeURL, "%q is not a url of a page: %s", cut(raw), why)
}

// normalPath makes one spelling of each path: the library has resolved dot
// segments and encoded what the standard's path percent-encode set had in its
// version; '^' came later. Escapes of unreserved characters (RFC 3986, section
// 2.3) are undone, the others get upper-case hex, and a % without two hex digits
// is itself escaped. No dot segment appears when %2E is undone: the standard
// takes it for a dot already when it resolves them.
func normalPath(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '^':
			b.WriteString("%5E")
		case c != '%':
			b.WriteByte(c)
		case i+2 >= len(path) || unhex(path[i+1]) < 0 || unhex(path[i+2]) < 0:
			b.WriteString("%25")
		default:
			v := byte(unhex(path[i+1])<<4 | unhex(path[i+2]))
			if isUnreserved(v) {
				b.WriteByte(v)
			} else {
				b.WriteByte('%')
				b.WriteByte(hex[v>>4])
				b.WriteByte(hex[v&15])
			}
			i += 2
		}
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// parseHost is the standard's host parser (section 3.5) for http and https, then
// what pages drop: a trailing dot, and leading www labels. why is empty if the
// host is good.
func parseHost(raw string) (host, why string) {
	if strings.HasPrefix(raw, "[") {
		if !strings.HasSuffix(raw, "]") || strings.ContainsAny(raw[1:len(raw)-1], "[]") {
			return "", "its IPv6 address has no end"
		}
		return parseIPv6(raw)
	}
	host = unescape(raw)
	if !utf8.ValidString(host) {
		return "", "its host is not UTF-8 when unescaped"
	}
	ascii := true
	for i := range len(host) {
		ascii = ascii && host[i] < utf8.RuneSelf
	}
	if !ascii {
		if host, why = domainToASCII(host); why != "" {
			return "", why
		}
	}
	host = strings.ToLower(host)
	if i := strings.IndexFunc(host, forbiddenInHost); i >= 0 {
		return "", "its host has the character " + strconv.QuoteRune(rune(host[i]))
	}
	if isIPv4(host) {
		return parseIPv4(host)
	}
	host = strings.TrimSuffix(host, ".")
	for strings.HasPrefix(host, "www.") && strings.IndexByte(host[4:], '.') >= 0 {
		host = host[4:]
	}
	if len(host) > 253 {
		return "", "its host has over 253 bytes"
	}
	for label := range strings.SplitSeq(host, ".") {
		switch {
		case label == "":
			return "", "its host has an empty label"
		case len(label) > 63:
			return "", "its host has a label of over 63 bytes"
		}
	}
	return host, ""
}

// parseIPv6 is the library's: host has its brackets.
func parseIPv6(host string) (string, string) {
	u, err := url.Parse("http://" + host + "/")
	if err != nil {
		return "", err.Error()
	}
	return u.Hostname(), ""
}

// unescape decodes %HH; a % without two hex digits stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// forbiddenInHost is the standard's "forbidden domain code point".
func forbiddenInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`#%/:<>?@[\]^|`, r)
}

// isIPv4 is the standard's "ends in a number" check.
func isIPv4(host string) bool {
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := parseIPv4Part(last)
	return ok
}

// parseIPv4 is the standard's IPv4 parser and serializer.
func parseIPv4(host string) (string, string) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return "", "its IPv4 address has over four parts"
	}
	var address uint64
	for i, part := range parts {
		n, ok := parseIPv4Part(part)
		if !ok {
			return "", "its IPv4 address has the part " + strconv.Quote(part)
		}
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i) // the last part fills what is left
		}
		if n >= 1<<bits {
			return "", "its IPv4 address has the part " + strconv.Quote(part) + ", which is too large"
		}
		address = address<<bits | n
	}
	var b []byte
	for shift := 24; shift >= 0; shift -= 8 {
		b = strconv.AppendUint(b, address>>shift&255, 10)
		if shift > 0 {
			b = append(b, '.')
		}
	}
	return string(b), ""
}

// parseIPv4Part reads a number as C does: 0x for base 16, 0 for base 8. One too
// large for 64 bits is given as the largest, which no part may be.
func parseIPv4Part(s string) (uint64, bool) {
	base := uint64(10)
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	}
	var n uint64
	for i := range len(s) {
		d := unhex(s[i])
		if d < 0 || uint64(d) >= base {
			return 0, false
		}
		if n > 1<<40 {
			n = 1 << 40 // too large for any part; keep reading digits
		}
		n = n*base + uint64(d)
	}
	return n, true
}
