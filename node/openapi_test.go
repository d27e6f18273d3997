package node

import (
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The description can be read, has no key without a value (text with a comma in
// braces falls apart into two), and names each call that is served, and no other.
func TestOpenAPI(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]any
	}
	var all any
	if err := yaml.Unmarshal(openAPI, &all); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case nil:
			t.Errorf("%s has no value", at)
		case map[string]any:
			for key, value := range v {
				walk(at+"/"+key, value)
			}
		case []any:
			for _, value := range v {
				walk(at+"[]", value)
			}
		}
	}
	walk("", all)
	if err := yaml.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	d := testDaemon(t, t.TempDir())
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for path, methods := range doc.Paths {
		for method := range methods {
			if status, _, body := do(t, strings.ToUpper(method), d.URL()+path+"?unknown=1", "", ""); status == 404 || status == 405 {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	served := d.server.collector.Handlers()
	for path, methods := range d.server.api.Handlers() {
		for method := range methods {
			if served[path] == nil {
				served[path] = map[string]http.HandlerFunc{}
			}
			served[path][method] = nil
		}
	}
	for path, methods := range served {
		for method := range methods {
			if _, ok := doc.Paths[path][strings.ToLower(method)]; !ok && method != "OPTIONS" && path != "/demo/" {
				t.Errorf("%s %s is not described", method, path)
			}
		}
	}
}
