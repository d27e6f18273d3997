package view

import (
	"testing"

	"speedlayer/record"
	"speedlayer/store"
)

// Each error names the setting, what it is, and what is allowed.
func TestSettings(t *testing.T) {
	const longest = 24 * 24 * 3600 * 1000
	for _, c := range []struct {
		change func(*Settings)
		says   string // "" when it is allowed
	}{
		{func(*Settings) {}, ""},
		{func(s *Settings) { s.VisitsWindow = longest }, ""},
		{func(s *Settings) { s.VisitsWindow = -5000 }, "visits window is -5s: allowed is 0 to 576h0m0s"},
		{func(s *Settings) { s.VisitsWindow = longest + 1000 }, "visits window is 576h0m1s: allowed is 0 to 576h0m0s"},
		{func(s *Settings) { s.VisitsEntries = -1 }, "visits entries is -1: allowed is 1 to 67108864"},
		{func(s *Settings) { s.VisitsEntries = 64<<20 + 1 }, "visits entries is 67108865: allowed is 1 to 67108864"},
		{func(s *Settings) { s.ExactVisitors = 4096 }, "exact visitors is 4096: allowed is 2048"},
		{func(s *Settings) { s.Rules = 2 }, "rules are version 2: this program knows 1"},
	} {
		s := DefaultSettings()
		c.change(&s)
		err := s.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || err.Error() != c.says) {
			t.Errorf("%+v: says %v, want %q", s, err, c.says)
		}
		if back, perr := ParseSettings(s.String()); back != s || (perr == nil) != (err == nil) {
			t.Errorf("%v comes back as %+v, %v", s, back, perr)
		}
	}
}

// Stores hold settings and commit records of earlier programs, which did not tell
// the engine's part from the operator's: the bytes are the same.
func TestFormatsStay(t *testing.T) {
	const settings = `{"dedupe_window_ms":3600000,"dedupe_entries":524288,"visits_window_ms":14400000,"visits_entries":262144,"exact_visitors":2048,"rules":1}`
	if s := Defaults(); s.String() != settings {
		t.Errorf("settings are %s, want %s", s, settings)
	}
	s, err := record.ParseSettings(settings)
	if v, err2 := ParseSettings(s.Operator); err != nil || err2 != nil || s != Defaults() || v != DefaultSettings() {
		t.Errorf("%s is read as %+v and %+v, %v, %v", settings, s, v, err, err2)
	}
	const row = "\x01\x02\x04\x06\x08\x0a\x0c\x0e\x10\x12\x14\x16\x18\x1a\x1c\x1e\x20" // 16 numbers, 1 to 16
	r, err := store.DecodeCommitRecord([]byte(row))
	c, err2 := DecodeCounts(r.Operator)
	if err != nil || err2 != nil || r.DedupeOldest != 14 || c != (Counts{VisitEntries: 15, VisitOldest: 16}) || string(r.Append(nil)) != row {
		t.Errorf("%x is read as %+v and %+v, %v, %v", row, r, c, err, err2)
	}
	if string(c.Append(nil)) != r.Operator {
		t.Errorf("counts are %x, want %x", c.Append(nil), r.Operator)
	}
	if c, err := DecodeCounts(""); err != nil || c != (Counts{}) {
		t.Errorf("no counts are %+v, %v", c, err)
	}
	if _, err := DecodeCounts("\x80"); err == nil {
		t.Error("half a number is taken for counts")
	}
}
