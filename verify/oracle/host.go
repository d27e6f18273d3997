package oracle

import (
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"unicode/utf8"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/idna"
)

// pageHost is WHATWG's host parser for http and https, and then the rules for
// pages. The library parses IPv6; names are done here, since it decodes the xn--
// labels of ASCII hosts, takes signs in numbers, and rejects a_b beside letters
// outside ASCII.
func pageHost(raw string) (string, error) {
	if strings.HasPrefix(raw, "[") {
		inner := strings.TrimSuffix(raw[1:], "]")
		if len(inner) != len(raw)-2 || strings.ContainsAny(inner, "[]") {
			return "", errors.New("brackets of the host do not match")
		}
		return libraryHost(raw)
	}
	host := percentDecode(raw)
	if !isASCII(host) {
		var err error
		if host, err = international(host); err != nil {
			return "", err
		}
	}
	host = strings.ToLower(host)
	for _, c := range []byte(host) {
		if c <= ' ' || c == 0x7f || strings.IndexByte(`#%/:<>?@[\]^|`, c) >= 0 {
			return "", fmt.Errorf("host has the character %q", c)
		}
	}
	if endsInNumber(host) {
		return ipv4(host)
	}
	return domainName(host)
}

// international is UTS 46 for a host that is not ASCII, with none of the checks
// that WHATWG leaves out.
func international(host string) (string, error) {
	if !utf8.ValidString(host) {
		return "", errors.New("host is not UTF-8")
	}
	host = strings.ReplaceAll(strings.ReplaceAll(host, "\u1e9e", "\u00df"), "\u180e", "") // Unicode 15 is too old for these two
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.CheckHyphens(false))
	for label := range strings.SplitSeq(strings.Map(dot, host), ".") {
		// The code after xn-- must be there and ASCII; the library takes any.
		if mapped, _ := profile.ToUnicode("x" + label); strings.HasPrefix(mapped, "xxn--") && (mapped == "xxn--" || !isASCII(mapped)) {
			return "", fmt.Errorf("host has the label %q", mapped[1:])
		}
	}
	return profile.ToASCII(host)
}

// dot maps what UTS 46 takes for dots.
func dot(r rune) rune {
	if strings.ContainsRune("\u3002\uff0e\uff61", r) {
		return '.'
	}
	return r
}

// domainName drops what does not tell sites apart.
func domainName(host string) (string, error) {
	host = strings.TrimSuffix(host, ".")
	for strings.HasPrefix(host, "www.") && strings.Contains(host[4:], ".") {
		host = host[4:]
	}
	if len(host) > 253 {
		return "", errors.New("host is over 253 bytes")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("host has a label of %d bytes", len(label))
		}
	}
	return host, nil
}

func libraryHost(raw string) (string, error) {
	u, err := whatwg.Parse("http://" + raw + "/")
	if err != nil {
		return "", err
	}
	return u.Hostname(), nil
}

// percentDecode leaves a % that no two hex digits follow as it is.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+3 <= len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// endsInNumber is WHATWG's "ends in a number checker".
func endsInNumber(host string) bool {
	parts := ipv4Parts(host)
	if len(parts) == 0 {
		return false
	}
	last := parts[len(parts)-1]
	if last != "" && strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := ipv4Number(last)
	return ok
}

// ipv4Parts splits at dots; one empty part at the end does not count.
func ipv4Parts(host string) []string {
	parts := strings.Split(host, ".")
	if parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func ipv4Number(s string) (*big.Int, bool) {
	if s == "" {
		return nil, false
	}
	base, digits := 10, "0123456789"
	switch {
	case strings.HasPrefix(s, "0x"):
		s, base, digits = s[2:], 16, "0123456789abcdef"
	case len(s) > 1 && s[0] == '0':
		s, base, digits = s[1:], 8, "01234567"
	}
	if strings.Trim(s, digits) != "" {
		return nil, false
	}
	return new(big.Int).SetString("0"+s, base)
}

// ipv4 is WHATWG's IPv4 parser and serializer.
func ipv4(host string) (string, error) {
	parts := ipv4Parts(host)
	if len(parts) > 4 {
		return "", errors.New("IPv4 address has more than four parts")
	}
	address := new(big.Int)
	for i, part := range parts {
		n, ok := ipv4Number(part)
		if !ok {
			return "", fmt.Errorf("part %q of the IPv4 address is not a number", part)
		}
		room := uint(8) // bits of this part: the last has what the others leave
		if i == len(parts)-1 {
			room = uint(8 * (4 - i))
		}
		if uint(n.BitLen()) > room {
			return "", fmt.Errorf("part %q of the IPv4 address is too large", part)
		}
		address.Lsh(address, room).Or(address, n)
	}
	a := address.Uint64()
	return fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255), nil
}
