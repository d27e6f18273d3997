package record

import "testing"

func FuzzParseSource(f *testing.F) {
	f.Add([]byte("1/2/3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSource(b)
		if err != nil {
			return
		}
		if back, err := ParseSource([]byte(s.String())); err != nil || back != s {
			t.Fatalf("%q: %v comes back as %v, %v", b, s, back, err)
		}
	})
}
