package oracle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// Bounds of a url as received, and of the page that it becomes, in bytes.
const (
	maxURL  = 16 << 10
	maxPage = 2048
)

// Page is the rule for pages (docs/design.md, "Rules"),
// written down once more over a WHATWG parser, with no fast path. The parser
// cuts the url up; the host it leaves to pageHost.
func Page(raw string) (string, error) {
	if len(raw) > maxURL {
		return "", fmt.Errorf("url is over %d bytes", maxURL)
	}
	if !utf8.ValidString(raw) {
		return "", errors.New("url is not UTF-8")
	}
	var rawHost string
	u, err := whatwg.NewParser(whatwg.WithPreParseHostFunc(func(_ *whatwg.Url, host string) string {
		rawHost = host
		return "placeholder"
	})).Parse(raw)
	if err != nil {
		return "", err
	}
	if s := u.Scheme(); s != "http" && s != "https" {
		return "", fmt.Errorf("scheme is %q, not http or https", s)
	}
	host, err := pageHost(rawHost)
	if err != nil {
		return "", err
	}
	page := host
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		page += ":" + p
	}
	page += pagePath(u.Pathname())
	if len(page) > maxPage {
		return "", fmt.Errorf("page is over %d bytes", maxPage)
	}
	return page, nil
}

// Domain is the host and port of a page.
func Domain(page string) string {
	return page[:strings.IndexByte(page, '/')]
}

// pagePath takes the path as WHATWG writes it: dot segments are resolved there.
func pagePath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '^' { // in the path percent-encode set since 2024; the parser is older
			b.WriteString("%5E")
			continue
		}
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+3 > len(path) {
			b.WriteString("%25")
			continue
		}
		n, err := strconv.ParseUint(path[i+1:i+3], 16, 8)
		switch c := byte(n); {
		case err != nil:
			b.WriteString("%25")
			continue
		case strings.IndexByte(unreserved, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
		i += 2
	}
	return strings.TrimRight(b.String(), "/") + rootSlash(b.String())
}

// rootSlash is the slash of a path that has nothing else.
func rootSlash(path string) string {
	if strings.Trim(path, "/") == "" {
		return "/"
	}
	return ""
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
