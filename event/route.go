package event

import "strings"

// WithRoute makes a route in a url's fragment a part of its page: a fragment
// that begins with / or !, as in https://foo.com/app#/about, becomes the end of
// the path, its number sign escaped: https://foo.com/app%23/about. The route's
// own query is dropped, and an empty route (#/, #!, #!/) is the page without
// one. Every other url is returned as it is. It is for sites that route by
// fragment and say so; on other sites fragments are places in a page.
func WithRoute(url string) string {
	base, fragment, ok := strings.Cut(url, "#")
	if !ok || fragment == "" || fragment[0] != '/' && fragment[0] != '!' {
		return url
	}
	if end := strings.IndexAny(fragment, "?#"); end >= 0 {
		fragment = fragment[:end]
	}
	if end := strings.IndexByte(base, '?'); end >= 0 {
		base = base[:end]
	}
	fragment = strings.TrimRight(fragment, "/")
	if fragment == "" || fragment == "!" {
		return base
	}
	base = strings.TrimRight(base, "/")
	host := strings.Index(base, "://") + len("://")
	if host < len("://") || host > len(base) { // not a page: AppendPage tells why
		return url
	}
	if !strings.Contains(base[host:], "/") {
		base += "/"
	}
	return base + "%23" + fragment
}
