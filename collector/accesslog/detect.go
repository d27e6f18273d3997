package accesslog

import (
	"bytes"
	"encoding/json"
	"strings"
)

// JSONLines are this program's own events, one object a line; no format of an
// access log, but one that a file can have.
const JSONLines Format = "jsonl"

// Detect finds the format of a line, which may have a prefix; "" if it is not
// known, or not yet: of a W3C log, the #Fields line tells.
func Detect(line []byte, o Options) Format {
	line = trimEnd(line)
	for range maxPrefixes {
		if f := detect(line, o); f != "" {
			return f
		}
		rest, _, ok := cutPrefix(line)
		if !ok {
			return ""
		}
		line = trimEnd(rest)
	}
	return detect(line, o)
}

// Why tells what is wrong with a line whose format Detect does not find, where more is
// known than that: it is nearly a line of some format. "" if not.
func Why(line []byte, o Options) string {
	line = trimEnd(line)
	if bytes.HasPrefix(line, []byte("{")) && json.Valid(line) {
		return "it is JSON with other names of fields: say what they mean, as in --format json --fields time=at,client=ip,url=page"
	}
	o.Format = Combined
	var l Line
	if err := NewParser(o).Parse(line, &l); err != nil && err != ErrFormat {
		return err.Error()
	}
	return ""
}

func detect(line []byte, o Options) Format {
	if len(line) == 0 {
		return ""
	}
	switch line[0] {
	case '#':
		return detectFields(strings.ToLower(string(line)))
	case '{':
		return detectJSON(line, o)
	}
	for _, f := range []Format{ALB, ELB, HAProxy, Combined, Common} {
		o.Format = f
		var l Line
		if NewParser(o).parse(line, &l) == nil {
			if l.Host != nil {
				return VHost
			}
			return f
		}
	}
	return ""
}

func detectFields(line string) Format {
	switch {
	case !strings.HasPrefix(line, "#fields:"):
		return ""
	case strings.Contains(line, "x-edge-location"):
		return CloudFront
	}
	return W3C
}

func detectJSON(line []byte, o Options) Format {
	object, ok := object(line)
	if !ok {
		return ""
	}
	_, person := object["person"]
	_, url := object["url"]
	if person && url {
		return JSONLines
	}
	for _, f := range []Format{Caddy, JSON} {
		o.Format = f
		var l Line
		if NewParser(o).parse(bytes.TrimSpace(line), &l) == nil {
			return f
		}
	}
	return ""
}
