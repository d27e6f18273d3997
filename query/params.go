package query

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are the query parameters of a call, each at most once.
type params map[string]string

// parseParams accepts the allowed parameters and refuses all others, and repeated
// ones: a typing error must not lead to a different answer.
func parseParams(raw string, allowed ...string) (params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, bad("query", "the query string cannot be read: "+cut(err.Error()), "name=value pairs, percent-encoded")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same call gets the same error
	p := make(params, len(values))
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			return nil, bad(shown(name), "is not a parameter of this call", strings.Join(allowed, ", ")+orNone(allowed))
		}
		if len(values[name]) > 1 {
			return nil, bad(name, fmt.Sprintf("is given %d times", len(values[name])), "giving it once")
		}
		p[name] = values[name][0]
	}
	return p, nil
}

func orNone(allowed []string) string {
	if len(allowed) == 0 {
		return "no parameter"
	}
	return ""
}

// shown makes a name of arbitrary bytes printable in an error.
func shown(name string) string {
	if name == "" {
		return `""`
	}
	return strings.ToValidUTF8(cut(name), "\uFFFD")
}

// limit parses the parameter limit; it is 0 if not given.
func (p params) limit(most int) (int, error) {
	text, ok := p["limit"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 || n > uint64(most) {
		return 0, badLimit(shown(text), most)
	}
	return int(n), nil
}
