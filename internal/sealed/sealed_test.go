package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type file struct {
	A int      `json:"a"`
	B []string `json:"b"`
}

// What was written is read, by this package and as plain JSON.
func TestRoundTrip(t *testing.T) {
	want := file{7, []string{"x", "}"}}
	b, err := Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	old, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{b, append(bytes.Clone(b), '\n'), Seal(append(indented, '\n')), old, indented} {
		var got, plain file
		if err := Unmarshal("f", text, &got); err != nil || got.A != 7 || len(got.B) != 2 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if err := json.Unmarshal(text, &plain); err != nil || plain.A != 7 {
			t.Errorf("%s as plain JSON: %v", text, err)
		}
	}
}

// No flipped bit and no cut is misread: the file is refused by name, or the
// checksum alone is hurt.
func TestDamage(t *testing.T) {
	b, err := Marshal(file{1234567, []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	for at := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[at] ^= 1 << bit
			var f file
			if err := Unmarshal("run.json", c, &f); err == nil {
				if f.A != 1234567 || len(f.B) != 1 || f.B[0] != "x" {
					t.Fatalf("%q was misread as %+v", c, f)
				}
			} else if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "run.json") {
				t.Errorf("%q: %v", c, err)
			}
		}
		var f file
		if err := Unmarshal("run.json", b[:at], &f); err == nil {
			t.Errorf("cut to %q it was accepted", b[:at])
		}
	}
}
