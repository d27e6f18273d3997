package accesslog

import (
	"bytes"
	"net/url"
	"strings"

	"speedlayer/internal/clientaddr"
)

// columns defines where the fields of a W3C extended log stand, and what its
// directives said besides. -1 is nowhere.
type columns struct {
	known                            bool
	date, time, client, user         int
	method, stem, query, uri, status int
	agent, referrer, host, forwarded int
	dated                            string // #Date, where lines have a time alone
	missing                          string // a field that must be there, and is not
	encoded                          bool   // CloudFront: fields are percent-encoded
	count                            int
}

// w3c reads a line of a W3C extended log, as IIS and CloudFront write. Its
// #Fields lines say what the fields are, and may change on the way. Times are
// UTC.
func (p *Parser) w3c(line []byte, l *Line) error {
	if len(line) > 0 && line[0] == '#' {
		p.directive(string(line))
		return ErrDirective
	}
	c := &p.columns
	if !c.known {
		return ErrNoFields
	}
	if c.missing != "" {
		return missingField(c.missing)
	}
	f := splitFields(line)
	if len(f) < c.count {
		return ErrFormat
	}
	get := func(i int) []byte {
		if i < 0 || string(f[i]) == "-" {
			return nil
		}
		return f[i]
	}
	date := c.dated
	if c.date >= 0 {
		date = string(get(c.date))
	}
	ms, ok := isoTime(date+"T"+string(get(c.time))+"Z", nil)
	if !ok {
		return ErrFormat
	}
	l.Time, l.Method = ms, get(c.method)
	if l.Status, ok = statusCode(get(c.status)); !ok {
		return ErrFormat
	}
	l.Target = c.target(get)
	l.Host = hostOnly(get(c.host))
	l.User = c.text(get(c.user))
	l.Referrer, l.UserAgent = c.text(get(c.referrer)), c.text(get(c.agent))
	l.from.forwarded = strings.ReplaceAll(string(c.text(get(c.forwarded))), "+", " ")
	return l.from.set(get(c.client))
}

type missingField string

func (m missingField) Error() string {
	return "the #Fields line lacks " + string(m)
}

// set takes the client from a field of its own.
func (from *origin) set(b []byte) error {
	if len(b) == 0 {
		from.none = true
		return nil
	}
	text := string(b)
	if addr, ok := clientaddr.Parse(text); ok {
		from.peer = addr
		return nil
	}
	if strings.Contains(text, ",") && isList(text) {
		from.list = text
		return nil
	}
	switch {
	case text == "-":
		from.none = true
	case strings.HasPrefix(text, "unix:") || text == "@":
		from.local = true
	case isName(b):
		from.name = b
	default:
		return ErrAddress
	}
	return nil
}

func (c *columns) target(get func(int) []byte) []byte {
	if c.stem < 0 {
		return unescape(get(c.uri), true)
	}
	target := bytes.Clone(get(c.stem))
	if query := get(c.query); len(query) > 0 {
		target = append(append(target, '?'), query...)
	}
	return unescape(target, true)
}

// text undoes how a field's spaces were written: + by IIS, %20 by CloudFront,
// which for a while encoded the % again.
func (c *columns) text(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if !c.encoded {
		return bytes.ReplaceAll(b, []byte("+"), []byte(" "))
	}
	for range 2 {
		if s, err := url.PathUnescape(string(b)); err == nil {
			b = []byte(s)
		}
	}
	return b
}

// hostOnly drops an empty host.
func hostOnly(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (p *Parser) directive(line string) {
	name, rest, _ := strings.Cut(line, ":")
	switch strings.ToLower(name) {
	case "#date":
		if d := strings.TrimSpace(rest); len(d) >= 10 {
			p.columns.dated = d[:10]
		}
	case "#fields":
		p.columns = newColumns(strings.Fields(strings.ToLower(rest)), p.columns.dated)
	}
}

func newColumns(names []string, dated string) columns {
	at := func(alternatives ...string) int {
		for _, a := range alternatives {
			for i, n := range names {
				if n == a {
					return i
				}
			}
		}
		return -1
	}
	c := columns{
		known: true, dated: dated, count: len(names), encoded: at("x-edge-location") >= 0,
		date: at("date"), time: at("time"), client: at("c-ip", "c-dns"), user: at("cs-username"),
		method: at("cs-method"), stem: at("cs-uri-stem"), query: at("cs-uri-query"), uri: at("cs-uri"), status: at("sc-status"),
		agent: at("cs(user-agent)"), referrer: at("cs(referer)"), host: at("x-host-header", "cs-host", "cs(host)"),
		forwarded: at("x-forwarded-for", "cs(x-forwarded-for)", "x_forwarded_for"),
	}
	for _, f := range []struct {
		name string
		at   int
	}{{"time", c.time}, {"c-ip", c.client}, {"cs-method", c.method}, {"cs-uri-stem", max(c.stem, c.uri)}, {"sc-status", c.status}} {
		if f.at < 0 {
			c.missing = f.name
		}
	}
	if c.date < 0 && dated == "" {
		c.missing = "date"
	}
	return c
}

// splitFields splits a line at tabs, or else at spaces; a field in quotes may
// hold spaces, and two quotes for one.
func splitFields(line []byte) (fields [][]byte) {
	if bytes.IndexByte(line, '\t') >= 0 {
		return bytes.Split(line, []byte("\t"))
	}
	for len(line) > 0 {
		if line[0] == ' ' {
			line = line[1:]
			continue
		}
		if line[0] == '"' {
			if text, rest, ok := quoted(line); ok {
				fields, line = append(fields, text), rest
				continue
			}
		}
		w, rest, ok := word(line)
		if !ok {
			w, rest = line, nil
		}
		fields, line = append(fields, w), rest
	}
	return fields
}
