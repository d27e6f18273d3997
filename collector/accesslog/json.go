package accesslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Fields of a line that an object can have.
const (
	fieldTime      = "time"
	fieldClient    = "client"
	fieldUser      = "user"
	fieldHost      = "host"
	fieldMethod    = "method"
	fieldTarget    = "target"
	fieldRequest   = "request" // method, target and protocol in one
	fieldStatus    = "status"
	fieldReferrer  = "referrer"
	fieldAgent     = "user_agent"
	fieldForwarded = "forwarded"
)

// FieldNames are the names that Options.Fields may have.
func FieldNames() []string {
	return []string{fieldTime, fieldClient, fieldUser, fieldHost, fieldMethod, fieldTarget, fieldRequest, fieldStatus, fieldReferrer, fieldAgent, fieldForwarded}
}

// fieldMap defines which names or paths are looked for, in order.
type fieldMap map[string][]string

// caddyFields are those of Caddy's access log, 2.0 to today.
var caddyFields = fieldMap{
	fieldTime: {"ts"}, fieldClient: {"request.client_ip", "request.remote_ip", "request.remote_addr"}, fieldUser: {"user_id"},
	fieldHost: {"request.host"}, fieldMethod: {"request.method"}, fieldTarget: {"request.uri"}, fieldStatus: {"status"},
	fieldReferrer: {"request.headers.Referer"}, fieldAgent: {"request.headers.User-Agent"}, fieldForwarded: {"request.headers.X-Forwarded-For"},
}

// usualFields are the names that people give to nginx's variables, and those of
// Traefik, CloudFront, the Elastic Common Schema, Cloudflare's Logpush, and the load
// balancers of Google and Azure.
var usualFields = fieldMap{
	fieldTime:      {"StartUTC", "time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time", "ts", "StartLocal", "datetime", "date", "EdgeStartTimestamp"},
	fieldClient:    {"remote_addr", "remote_ip", "client_ip", "clientip", "client", "ip", "ClientHost", "ClientAddr", "c-ip", "source.ip", "client.ip", "request.client_ip", "request.remote_ip", "ClientIP", "httpRequest.remoteIp", "properties.clientIp"},
	fieldUser:      {"remote_user", "ClientUsername", "user", "user_id"},
	fieldHost:      {"host", "http_host", "server_name", "vhost", "RequestHost", "RequestAddr", "x-host-header", "cs(Host)", "url.domain", "request.host", "ClientRequestHost"},
	fieldMethod:    {"request_method", "method", "RequestMethod", "cs-method", "http.request.method", "verb", "request.method", "ClientRequestMethod", "httpRequest.requestMethod", "properties.httpMethod"},
	fieldTarget:    {"request_uri", "uri", "RequestPath", "path", "url", "cs-uri-stem", "url.original", "url.path", "request.uri", "ClientRequestURI", "httpRequest.requestUrl", "properties.requestUri"},
	fieldRequest:   {"request", "request_line"},
	fieldStatus:    {"status", "DownstreamStatus", "status_code", "response", "sc-status", "http.response.status_code", "EdgeResponseStatus", "httpRequest.status", "properties.httpStatusCode"},
	fieldReferrer:  {"http_referer", "http_referrer", "referer", "referrer", "request_Referer", "cs(Referer)", "http.request.referrer", "ClientRequestReferer", "httpRequest.referer", "properties.referer"},
	fieldAgent:     {"http_user_agent", "user_agent", "useragent", "agent", "request_User-Agent", "cs(User-Agent)", "user_agent.original", "ClientRequestUserAgent", "httpRequest.userAgent", "properties.userAgent"},
	fieldForwarded: {"http_x_forwarded_for", "x_forwarded_for", "request_X-Forwarded-For", "x-forwarded-for", "xff"},
}

// newFieldMap is the usual names, and before them those that a user gave.
func newFieldMap(given map[string]string) fieldMap {
	m := fieldMap{}
	for role, names := range usualFields {
		m[role] = names
		if name := given[role]; name != "" {
			m[role] = []string{name}
		}
	}
	if given[fieldRequest] == "" && (given[fieldMethod] != "" || given[fieldTarget] != "") {
		delete(m, fieldRequest)
	}
	return m
}

// json reads an object, by the names that p.fields has.
func (p *Parser) json(line []byte, l *Line) error {
	o, ok := object(line)
	if !ok {
		return ErrFormat
	}
	get := func(role string) string { return p.fields.get(o, role) }
	at := get(fieldTime)
	if at == "" {
		return missing(fieldTime, p.fields)
	}
	if l.Time, ok = p.anyTime(at); !ok {
		return errTime
	}
	if request := get(fieldRequest); strings.Contains(request, " ") {
		l.Method, l.Target = splitRequest([]byte(request))
	} else {
		l.Method, l.Target = []byte(get(fieldMethod)), unescape([]byte(get(fieldTarget)), true)
	}
	if len(l.Method) == 0 {
		return missing(fieldMethod, p.fields)
	}
	status := get(fieldStatus)
	if status == "" {
		return missing(fieldStatus, p.fields)
	}
	l.Status, _ = statusCode([]byte(status)) // 0, as Caddy writes for a cut connection, is not a success
	l.Host, l.User = hostOnly([]byte(get(fieldHost))), userName([]byte(get(fieldUser)))
	l.Referrer, l.UserAgent = header(get(fieldReferrer)), header(get(fieldAgent))
	l.from.forwarded = get(fieldForwarded)
	client := get(fieldClient)
	if client == "" && l.from.forwarded == "" {
		return missing(fieldClient, p.fields)
	}
	return l.from.set([]byte(client))
}

// errTime does not have the time in it: reasons are counted, and must be few.
var errTime = fmt.Errorf("%w: its time is not understood", ErrFormat)

func header(text string) []byte {
	if text == "" || text == "-" {
		return nil
	}
	return []byte(text)
}

func missing(role string, m fieldMap) error {
	names := m[role]
	if len(names) > 3 {
		names = append(slices.Clone(names[:3]), "...")
	}
	return fmt.Errorf("%w: the object has no %s (looked for %s; --fields names another)", ErrFormat, role, strings.Join(names, ", "))
}

// object decodes a line. nginx without escape=json writes \xHH, which JSON does
// not have.
func object(line []byte) (map[string]any, bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	if o, ok := decodeObject(line); ok {
		return o, true
	}
	if bytes.Contains(line, []byte(`\x`)) {
		return decodeObject(bytes.ReplaceAll(line, []byte(`\x`), []byte(`\u00`)))
	}
	return nil, false
}

func decodeObject(line []byte) (o map[string]any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if d.Decode(&o) != nil || o == nil {
		return nil, false
	}
	return o, !d.More()
}

// get is the first text or number that a role's names have; of a list, the first
// element, or all of a list of forwarded addresses.
func (m fieldMap) get(o map[string]any, role string) string {
	for _, path := range m[role] {
		if text := asText(lookUp(o, path)); text != "" {
			return text
		}
	}
	return ""
}

// lookUp finds a name, or a path with dots.
func lookUp(o map[string]any, path string) any {
	if v, ok := o[path]; ok {
		return v
	}
	name, rest, ok := strings.Cut(path, ".")
	if !ok {
		return nil
	}
	if inner, ok := o[name].(map[string]any); ok {
		return lookUp(inner, rest)
	}
	return nil
}

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		texts := make([]string, 0, len(v))
		for _, e := range v {
			if t := asText(e); t != "" {
				texts = append(texts, t)
			}
		}
		return strings.Join(texts, ", ")
	}
	return ""
}

// anyTime reads a time as JSON loggers write it.
func (p *Parser) anyTime(text string) (ms int64, ok bool) {
	if ms, ok := unixTime(text); ok {
		return ms, true
	}
	if ms, ok := logTime([]byte(text)); ok {
		return ms, true
	}
	if ms, ok := isoTime(text, nil); ok {
		return ms, true
	}
	if ms, ok = isoTime(text, p.o.Zone); ok {
		p.seen.zoneless++
	}
	return ms, ok
}
