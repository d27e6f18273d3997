package devcluster

import (
	"strings"
	"testing"
	"text/template"
)

// fill makes of each template what text/template makes of it.
func TestFill(t *testing.T) {
	names, err := files.ReadDir("files")
	if err != nil {
		t.Fatal(err)
	}
	filled := 0
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".tmpl") {
			continue
		}
		for _, set := range []bool{false, true} {
			text := string(embedded(n.Name()))
			want, err := template.New(n.Name()).Option("missingkey=error").Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, number := range []int{0, 9092} {
				values := everyValue(text, set, number)
				var b strings.Builder
				if err := want.Execute(&b, values); err != nil {
					t.Fatal(err)
				}
				got, err := fill(text, values)
				if err != nil || got != b.String() {
					t.Errorf("%s: %v\n%s\nwant\n%s", n.Name(), err, got, b.String())
				}
				filled++
			}
		}
	}
	if filled < 12 {
		t.Errorf("%d templates were filled", filled)
	}
	for _, wrong := range []string{"{{.A", "{{.Missing}}", "{{if .Missing}}", "{{range .A}}", "{{A}}"} {
		if text, err := fill(wrong, map[string]any{"A": 1}); err == nil {
			t.Errorf("%s was filled: %q", wrong, text)
		}
	}
}

// everyValue gives each name in a template a value: those of conditions a bool or a
// number, others a text.
func everyValue(text string, set bool, number int) map[string]any {
	values := make(map[string]any)
	for _, part := range strings.Split(text, "{{")[1:] {
		action, _, _ := strings.Cut(part, "}}")
		name := action[strings.LastIndexByte(action, '.')+1:]
		switch {
		case strings.HasSuffix(name, "Port"):
			values[name] = number
		case strings.Contains(action, "if "):
			values[name] = set
		case values[name] == nil:
			values[name] = "<" + name + ">"
		}
	}
	return values
}
