package record

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Each error names the setting, what it is, and what is allowed.
func TestSettingsValidate(t *testing.T) {
	if err := DefaultSettings("").Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	const longest = 24 * 24 * 3600 * 1000
	for _, c := range []struct {
		change func(*Settings)
		says   string // "" when it is allowed
	}{
		{func(s *Settings) { s.DedupeWindow = 0 }, ""},
		{func(s *Settings) { s.DedupeWindow = longest }, ""},
		{func(s *Settings) { s.DedupeWindow = -1 }, "dedupe window is -1ms: allowed is 0 to 576h0m0s"},
		{func(s *Settings) { s.DedupeWindow = longest + 1 }, "dedupe window is 576h0m0.001s: allowed is 0 to 576h0m0s"},
		{func(s *Settings) { s.DedupeEntries = 1 }, ""},
		{func(s *Settings) { s.DedupeEntries = 64 << 20 }, ""},
		{func(s *Settings) { s.DedupeEntries = 0 }, "dedupe entries is 0: allowed is 1 to 67108864"},
		{func(s *Settings) { s.DedupeEntries = 64<<20 + 1 }, "dedupe entries is 67108865: allowed is 1 to 67108864"},
	} {
		s := DefaultSettings(operator)
		c.change(&s)
		err := s.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || err.Error() != c.says) {
			t.Errorf("%+v: says %v, want %q", s, err, c.says)
		}
		back, perr := ParseSettings(s.String())
		if back != s || (perr == nil) != (err == nil) {
			t.Errorf("%v comes back as %+v, %v", s, back, perr)
		}
	}
}

const operator = `{"b":1,"a":{"dedupe_entries":[2]}}`

// The operator's members stand beside the engine's in one object, keep their order,
// and mean nothing here.
func TestOperatorSettings(t *testing.T) {
	const text = `{"dedupe_window_ms":3600000,"dedupe_entries":524288,"b":1,"a":{"dedupe_entries":[2]}}`
	if s := DefaultSettings(operator); s.String() != text {
		t.Errorf("settings are %s, want %s", s, text)
	}
	for _, c := range []struct{ text, operator string }{
		{text, operator},
		{`{ "b": 1, "dedupe_entries": 524288, "a": {"dedupe_entries": [2]}, "Dedupe_Window_MS": 3600000 }`, operator},
		{`{"dedupe_entries":1}`, ""},
	} {
		if s, err := ParseSettings(c.text); err != nil || s.Operator != c.operator {
			t.Errorf("%s: the operator's part is %q, %v, want %q", c.text, s.Operator, err, c.operator)
		}
	}
	for _, text := range []string{"null", "[]", "1", `{"dedupe_entries":1`, ""} {
		if s, err := ParseSettings(text); err == nil {
			t.Errorf("%q is taken as %v", text, s)
		}
	}
}

func accept(string) error { return nil }

func FuzzParseSettings(f *testing.F) {
	f.Add(DefaultSettings(operator).String())
	f.Add(`{}`)
	f.Add(`{"dedupe_window_ms":9223372036854775807}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSettings(text)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("%q is taken, but %v", text, err)
		}
		if back, err := ParseSettings(s.String()); err != nil || back != s {
			t.Fatalf("%v comes back as %v, %v", s, back, err)
		}
	})
}

// Text of the operator's stays as it is, whatever is in it.
func FuzzOperatorSettings(f *testing.F) {
	f.Add("<&>")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := json.Marshal(map[string]string{"x": text})
		if err != nil {
			return
		}
		m := Marker{Generation: 1, Settings: &Settings{DedupeEntries: 1, Operator: string(b)}}
		if back, err := ParseMarker(m.Append(nil), accept); err != nil || !sameMarker(back, m) {
			t.Fatalf("%s: %v comes back as %+v, %v", b, m.Settings, back.Settings, err)
		}
	})
}

func sameMarker(a, b Marker) bool {
	return a.Generation == b.Generation && a.Run == b.Run && (a.Settings == nil) == (b.Settings == nil) &&
		(a.Settings == nil || *a.Settings == *b.Settings)
}

func TestMarker(t *testing.T) {
	s := DefaultSettings(operator)
	for _, m := range []Marker{{}, {Generation: math.MaxUint32, Run: true}, {Generation: 3, Settings: &s}} {
		if back, err := ParseMarker(m.Append(nil), accept); err != nil || !sameMarker(back, m) {
			t.Errorf("%+v comes back as %+v, %v", m, back, err)
		}
	}
	for _, bad := range []string{"", "x", "[]", `{"generation":-1}`, `{"generation":4294967296}`, `{"generation":1,"settings":{"rules":9}}`} {
		if m, err := ParseMarker([]byte(bad), accept); err == nil || !strings.HasPrefix(err.Error(), "marker: ") {
			t.Errorf("%q is taken as %+v, %v", bad, m, err)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	s := DefaultSettings(operator)
	f.Add(Marker{Generation: 3, Run: true, Settings: &s}.Append(nil))
	f.Add([]byte(`{"generation":1,"settings":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMarker(b, accept)
		if err != nil {
			return
		}
		if back, err := ParseMarker(m.Append(nil), accept); err != nil || !sameMarker(back, m) {
			t.Fatalf("%q: %+v comes back as %+v, %v", b, m, back, err)
		}
	})
}

// A record is a marker by its header and by having no key; one with a key is
// somebody's event.
func TestIsMarker(t *testing.T) {
	header := []kgo.RecordHeader{{Key: "other"}, {Key: MarkerHeader}}
	for i, c := range []struct {
		r    kgo.Record
		want bool
	}{
		{kgo.Record{Headers: header}, true},
		{kgo.Record{Headers: header, Key: []byte{}}, true},
		{kgo.Record{Headers: header, Key: []byte("p")}, false},
		{kgo.Record{Headers: header[:1]}, false},
		{kgo.Record{}, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if got := IsMarker(&c.r); got != c.want {
				t.Errorf("says %v", got)
			}
		})
	}
}
