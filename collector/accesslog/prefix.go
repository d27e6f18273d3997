package accesslog

import (
	"bytes"
	"encoding/json"

	"speedlayer/internal/clientaddr"
)

// cutPrefix cuts off what syslog, journald, Docker or Kubernetes put in front of
// a line, or takes the line out of their JSON. kind names it for a report.
func cutPrefix(b []byte) (rest []byte, kind string, ok bool) {
	if len(b) == 0 {
		return nil, "", false
	}
	if c := cutColours(b); len(c) < len(b) {
		return c, "colours of a terminal", true
	}
	if b[0] == '{' {
		return unwrap(b)
	}
	if rest, ok := cutPod(b); ok {
		return rest, "names of pods", true
	}
	if rest, ok := cutService(b); ok {
		return rest, "names of Docker Compose's services", true
	}
	rest = cutPriority(b)
	if rest, ok := cutRFC5424(rest); ok {
		return rest, "syslog (RFC 5424)", true
	}
	if rest, ok := cutTimestamp(rest); ok {
		return cutSender(rest)
	}
	return nil, "", false
}

// cutColours cuts off escape sequences that choose a colour: ESC [ ... m.
func cutColours(b []byte) []byte {
	for len(b) > 2 && b[0] == 0x1b && b[1] == '[' {
		i := bytes.IndexByte(b[:min(len(b), 16)], 'm')
		if i < 0 {
			break
		}
		b = b[i+1:]
	}
	return b
}

// unwrap takes a line out of an object: Docker's json-file driver writes log,
// journald MESSAGE, many shippers message, GELF short_message, Google's logs
// textPayload.
func unwrap(b []byte) (line []byte, kind string, ok bool) {
	var o map[string]json.RawMessage
	if json.Unmarshal(b, &o) != nil {
		return nil, "", false
	}
	for _, key := range []string{"log", "MESSAGE", "message", "msg", "short_message", "textPayload", "line"} {
		var text string
		if raw, ok := o[key]; ok && json.Unmarshal(raw, &text) == nil && text != "" {
			return []byte(text), "JSON of a log driver (field " + key + ")", true
		}
	}
	return nil, "", false
}

// cutPod cuts off what `kubectl logs --prefix` writes: [pod/name/container].
func cutPod(b []byte) ([]byte, bool) {
	if !bytes.HasPrefix(b, []byte("[pod/")) {
		return nil, false
	}
	i := bytes.Index(b, []byte("] "))
	if i < 0 {
		return nil, false
	}
	return b[i+2:], true
}

// cutService cuts off what `docker compose logs` writes: web-1  | .
func cutService(b []byte) ([]byte, bool) {
	i := bytes.Index(b[:min(len(b), 128)], []byte(" |"))
	if i < 0 || bytes.ContainsAny(bytes.TrimRight(b[:i], " "), " \"[") {
		return nil, false
	}
	return cutColours(bytes.TrimPrefix(cutColours(b[i+2:]), []byte(" "))), true
}

// cutPriority cuts off <165>.
func cutPriority(b []byte) []byte {
	if b[0] == '<' {
		if i := bytes.IndexByte(b[:min(len(b), 6)], '>'); i > 1 && digits(b[1:i]) >= 0 {
			return b[i+1:]
		}
	}
	return b
}

// cutRFC5424 cuts off the header of RFC 5424: version, time, host, program,
// process, message id, structured data.
func cutRFC5424(b []byte) ([]byte, bool) {
	if !bytes.HasPrefix(b, []byte("1 ")) {
		return nil, false
	}
	b = b[2:]
	for i := range 5 {
		w, rest, ok := word(b)
		if _, isTime := isoTime(string(w), nil); !ok || len(w) == 0 || i == 0 && !isTime && string(w) != "-" {
			return nil, false
		}
		b = rest
	}
	if bytes.HasPrefix(b, []byte("-")) {
		b = b[1:]
	}
	for len(b) > 0 && b[0] == '[' {
		n := structuredEnd(b)
		if n < 0 {
			return nil, false
		}
		b = b[n:]
	}
	return bytes.TrimPrefix(bytes.TrimPrefix(b, []byte(" ")), bom), true
}

var bom = []byte("\ufeff")

// structuredEnd is where an element of structured data ends: [id name="value"].
func structuredEnd(b []byte) int {
	in := false
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] == '"':
			in = !in
		case b[i] == ']' && !in:
			return i + 1
		}
	}
	return -1
}

// cutTimestamp cuts off the time in front of a line, with the space after it: of
// RFC 3164 (Nov  2 12:00:01), ISO (rsyslog, Docker, Kubernetes, journald), with
// the day of the week (journald's short-full), or seconds since 1970.
func cutTimestamp(b []byte) ([]byte, bool) {
	if len(b) > 4 && b[3] == ' ' && months[string(b[:3])] > 0 {
		return cutBSDTime(b[4:])
	}
	w, rest, ok := word(b)
	if !ok {
		return nil, false
	}
	if _, ok := isoTime(string(w), nil); ok {
		return rest, true
	}
	if _, ok := unixTime(string(w)); ok && len(w) > 10 && w[10] == '.' {
		return rest, true
	}
	if len(w) == 3 && len(b) > 28 && b[8] == '-' { // Mon 2026-11-02 12:00:01 UTC
		for range 3 {
			if _, rest, ok = word(rest); !ok {
				return nil, false
			}
		}
		return rest, true
	}
	return nil, false
}

// cutBSDTime cuts off what follows the month: day, perhaps year, time.
func cutBSDTime(b []byte) ([]byte, bool) {
	b = bytes.TrimLeft(b, " ")
	day, b, ok := word(b)
	if !ok || len(day) == 0 || len(day) > 2 || digits(day) < 0 {
		return nil, false
	}
	clock, rest, ok := word(b)
	if ok && len(clock) == 4 && digits(clock) > 0 {
		clock, rest, ok = word(rest)
	}
	if !ok || len(clock) < 8 || clock[2] != ':' || clock[5] != ':' {
		return nil, false
	}
	return rest, true
}

// cutSender cuts off what stands between the time and the line: the stream of
// Kubernetes (stdout F), or host and program of syslog (web1 nginx[12]:), or
// nothing, as `docker logs --timestamps` has it.
func cutSender(b []byte) (rest []byte, kind string, ok bool) {
	b = bytes.TrimLeft(b, " ") // columns may be padded
	first, after, ok := word(b)
	if !ok {
		return nil, "", false
	}
	if s := string(first); s == "stdout" || s == "stderr" {
		if tag, rest, ok := word(after); ok && (string(tag) == "F" || string(tag) == "P") {
			return rest, "Kubernetes' container logs", true
		}
	}
	if _, isAddr := clientaddr.Parse(string(first)); isAddr || first[0] == '{' {
		return b, "times", true
	}
	if first[len(first)-1] == ':' {
		return bytes.TrimLeft(after, " "), "syslog", true
	}
	second, more, ok := word(after)
	if ok && len(second) > 0 && second[len(second)-1] == ':' {
		if _, isAddr := clientaddr.Parse(string(second)); !isAddr {
			return bytes.TrimLeft(more, " "), "syslog", true
		}
	}
	if _, isHost := virtualHost(first); !isHost && isName(first) {
		return after, "syslog", true
	}
	return b, "times", true
}
