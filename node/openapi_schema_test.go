package node

import (
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// schemas understands the part of JSON Schema that openapi.yaml uses.
type schemas struct{ doc map[string]any }

// of follows a reference.
func (s schemas) of(v any) map[string]any {
	m, _ := v.(map[string]any)
	for {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		var at any = s.doc
		for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at = at.(map[string]any)[name]
		}
		m = at.(map[string]any)
	}
}

type parameter struct {
	name     string
	required bool
	schema   map[string]any
}

func (s schemas) params(op map[string]any) (all []parameter) {
	list, _ := op["parameters"].([]any)
	for _, v := range list {
		p := s.of(v)
		required, _ := p["required"].(bool)
		all = append(all, parameter{p["name"].(string), required, s.of(p["schema"])})
	}
	return all
}

// more reports whether the server takes more than the schema has.
func (s schemas) more(schema map[string]any) bool {
	text, _ := schema["description"].(string)
	return strings.Contains(text, "taken too") || strings.Contains(text, "every spelling that browsers take")
}

// fields are the fields that an object may have, by name; where parts of the schema
// disagree about one, the last that has bounds.
func (s schemas) fields(schema map[string]any) map[string]map[string]any {
	all := map[string]map[string]any{}
	if props, ok := schema["properties"].(map[string]any); ok {
		for name, v := range props {
			all[name] = s.of(v)
		}
	}
	for _, key := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := schema[key].([]any)
		for _, v := range list {
			for name, field := range s.fields(s.of(v)) {
				if _, have := all[name]; !have || field["pattern"] != nil {
					all[name] = field
				}
			}
		}
	}
	return all
}

// candidates are values inside and outside of what a schema has.
func (s schemas) candidates(schema map[string]any) []any {
	all := []any{"", "x", "pageview", "https://foo.com/a", "ftp://foo.com/", "no url", "foo.com", "foo.com/a", "now", "now-1h", "now-0h", "now-24", "2026-01-05T10:00Z", "2026-01-05T10:00:00Z",
		"2026-01-05T10:30Z", "2026-13-05T10:00Z", "2026-01-05", "2026-01-05T10:00:00.5Z", "2026-01-05T10:00:00", 0, 1, -1, 5, 1.5, 1e300, 631152000000, 631151999999, true, nil, []any{}, map[string]any{}}
	list, _ := schema["enum"].([]any)
	all = append(all, list...)
	for _, v := range list {
		all = append(all, strings.ToUpper(v.(string)), v.(string)+"x")
	}
	for _, key := range []string{"minimum", "maximum"} {
		if n, ok := schema[key].(int); ok {
			if all = append(all, n+1); n < 1e12 { // a time far ahead is not taken either
				all = append(all, n-1, n)
			}
		}
	}
	if n, ok := schema["maxLength"].(int); ok {
		prefix := ""
		if strings.HasPrefix(asText(schema["pattern"]), "^https?://") {
			prefix = "https://foo.com/?"
		}
		all = append(all, prefix+strings.Repeat("a", n-len(prefix)), prefix+strings.Repeat("a", n-len(prefix)+1))
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		parts, _ := schema[key].([]any)
		for _, v := range parts {
			part := maps.Clone(s.of(v))
			all = append(all, s.candidates(part)...)
		}
	}
	return all
}

func asText(v any) string {
	text, _ := v.(string)
	return text
}

// validText is valid for a parameter, which is text.
func (s schemas) validText(schema map[string]any, text string) bool {
	if schema["type"] == "integer" {
		n, err := strconv.Atoi(text)
		return err == nil && s.valid(schema, n)
	}
	return s.valid(schema, text)
}

// valid reports whether a value is one that the schema describes.
func (s schemas) valid(schema map[string]any, v any) bool {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		panic(err)
	}
	return s.check(schema, plain)
}

// check is valid for what encoding/json makes of a value.
func (s schemas) check(schema map[string]any, v any) bool {
	matches := func(sub any) bool { return s.check(s.of(sub), v) }
	count := func(key string) (n int) {
		list, _ := schema[key].([]any)
		for _, sub := range list {
			if matches(sub) {
				n++
			}
		}
		return n
	}
	if list, ok := schema["enum"].([]any); ok && !slices.Contains(list, v) {
		return false
	}
	if c, ok := schema["const"]; ok && v != c {
		return false
	}
	if not, ok := schema["not"]; ok && matches(not) {
		return false
	}
	all, _ := schema["allOf"].([]any)
	_, one := schema["oneOf"]
	_, anyOf := schema["anyOf"]
	if count("allOf") < len(all) || one && count("oneOf") != 1 || anyOf && count("anyOf") == 0 {
		return false
	}
	return s.ofType(schema, v) && s.within(schema, v)
}

func (s schemas) ofType(schema map[string]any, v any) bool {
	types, ok := schema["type"].([]any)
	if !ok {
		if schema["type"] == nil {
			return true
		}
		types = []any{schema["type"]}
	}
	return slices.ContainsFunc(types, func(name any) bool {
		switch v := v.(type) {
		case nil:
			return name == "null"
		case bool:
			return name == "boolean"
		case string:
			return name == "string"
		case float64:
			return name == "number" || name == "integer" && v == math.Trunc(v)
		case []any:
			return name == "array"
		}
		return name == "object"
	})
}

// within holds a value to the bounds of its type.
func (s schemas) within(schema map[string]any, v any) bool {
	switch v := v.(type) {
	case float64:
		least, has := schema["minimum"].(int)
		most, bounded := schema["maximum"].(int)
		return (!has || v >= float64(least)) && (!bounded || v <= float64(most))
	case string:
		n := utf8.RuneCountInString(v)
		least, _ := schema["minLength"].(int)
		most, bounded := schema["maxLength"].(int)
		if n < least || bounded && n > most {
			return false
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				return false
			}
		}
		pattern := asText(schema["pattern"])
		return pattern == "" || regexp.MustCompile(pattern).MatchString(v)
	case []any:
		items, ok := schema["items"]
		return !ok || !slices.ContainsFunc(v, func(item any) bool { return !s.check(s.of(items), item) })
	case map[string]any:
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return false
			}
		}
		props, _ := schema["properties"].(map[string]any)
		for name, field := range props {
			if value, ok := v[name]; ok && !s.check(s.of(field), value) {
				return false
			}
		}
	}
	return true
}
