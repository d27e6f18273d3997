package devcluster

import (
	"fmt"
	"strings"
)

// fill fills a configuration's template in. It knows the part of text/template that
// the templates need, with the same meaning: {{.Name}}; {{if .Name}}, {{else}} and
// {{end}}, not nested; and {{- to drop the white space before. A value is false if it
// is false or 0.
//
// text/template itself finds methods by their names when it runs. The linker then
// keeps every exported method of every type, which makes the whole program a fifth
// larger.
func fill(text string, values map[string]any) (string, error) {
	var out strings.Builder
	shown := true
	for {
		before, rest, more := strings.Cut(text, "{{")
		action, after, closed := strings.Cut(rest, "}}")
		if more && !closed {
			return "", fmt.Errorf("{{%.20s is not closed", rest)
		}
		trimmed, trims := strings.CutPrefix(action, "- ")
		if trims {
			before, action = strings.TrimRight(before, " \t\r\n"), trimmed
		}
		if shown {
			out.WriteString(before)
		}
		if !more {
			return out.String(), nil
		}
		text = after
		switch verb, name, _ := strings.Cut(action, " "); {
		case verb == "end":
			shown = true
		case verb == "else":
			shown = !shown
		default:
			v, err := value(values, verb, name)
			if err != nil {
				return "", err
			}
			if verb == "if" {
				shown = v != false && v != 0
			} else if shown {
				fmt.Fprint(&out, v)
			}
		}
	}
}

// value is what {{.Name}} or {{if .Name}} is about.
func value(values map[string]any, verb, name string) (any, error) {
	if verb != "if" {
		name = verb
	}
	field, ok := strings.CutPrefix(name, ".")
	v, known := values[field]
	if !ok || !known {
		return nil, fmt.Errorf("{{%s %s}}: no such value or action", verb, name)
	}
	return v, nil
}
