package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

func TestPageCases(t *testing.T) {
	var text []byte
	for _, name := range []string{"url_cases.jsonl", "hosts.jsonl"} {
		b, err := os.ReadFile("../../event/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	in := bufio.NewScanner(bytes.NewReader(text))
	in.Buffer(nil, 1<<20)
	cases := 0
	for in.Scan() {
		var c struct {
			URL       json.RawMessage // as it stands: some cases are about JSON's escapes
			Page, Why string
			Error     bool
		}
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases++
		pv, err := decode([]byte(`{"person":"p","ts":1000000000000,"url":`+string(c.URL)+`}`), 0, Page)
		page := pv.Page
		switch {
		case c.Error && err == nil:
			t.Errorf("%s is page %q, want an error (%s)", c.URL, page, c.Why)
		case !c.Error && (err != nil || page != c.Page):
			t.Errorf("%s is page %q, %v, want %q (%s)", c.URL, page, err, c.Page, c.Why)
		case !c.Error:
			if again, err := Page("http://" + page); again != page || err != nil {
				t.Errorf("Page(%q) = %q, %v: not idempotent", page, again, err)
			}
		}
	}
	if cases < 500 || in.Err() != nil {
		t.Fatalf("%d cases, %v", cases, in.Err())
	}
}
