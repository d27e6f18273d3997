package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"speedlayer/query"
)

// params are the query parameters of a call, each at most once.
type params map[string]string

// parseParams accepts the allowed parameters and rejects all others, and repeated
// ones: a typing error must not lead to a different answer.
func parseParams(raw string, allowed ...string) (params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, query.BadRequest("query", "the query string cannot be read: "+query.Shown(err.Error()), "name=value pairs, percent-encoded")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same call gets the same error
	p := make(params, len(values))
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			return nil, query.BadRequest(query.Shown(name), "is not a parameter of this call", strings.Join(allowed, ", ")+orNone(allowed))
		}
		if len(values[name]) > 1 {
			return nil, query.BadRequest(name, fmt.Sprintf("is given %d times", len(values[name])), "giving it once")
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

// limit parses the parameter limit; it is 0 if not given.
func (p params) limit(most int) (int, error) {
	text, ok := p["limit"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 || n > uint64(most) {
		return 0, query.BadLimit(query.Shown(text), most)
	}
	return int(n), nil
}
