package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	var d Decoder
	for _, c := range []struct {
		in, nonce, person, url string
		ts                     int64
	}{
		{`{"nonce":"n","person":"p","url":"http://a.b/","ts":631152000000}`, "n", "p", "http://a.b/", 631152000000},
		{` `[:0] + `{"ts":"1990-01-01T00:00:01.5Z","url":"u","person":"é"}`, "", "é", "u", 631152001500},
		{`{"person":"\u00e9","url":"u","ts":1000000000000,"nonce":null,"x":{"y":[1]}}`, "", "é", "u", 1000000000000},
		{`{"person":"a","person":"b","url":"u","ts":1000000000000}`, "", "b", "u", 1000000000000},
		{`{"person":"\ud83d\ude00","url":"u","ts":1000000000000}`, "", "😀", "u", 1000000000000},
	} {
		var pv Pageview
		if err := d.Decode([]byte(c.in), &pv); err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if string(pv.Nonce) != c.nonce || pv.HasNonce != (c.nonce != "") || string(pv.Person) != c.person || string(pv.URL) != c.url || pv.TS != c.ts {
			t.Errorf("%s: got %q %q %q %d", c.in, pv.Nonce, pv.Person, pv.URL, pv.TS)
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	good := `{"person":"p","url":"u","ts":1000000000000}`
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	var d Decoder
	for _, c := range []struct{ in, field, code string }{
		{"", "", CodeEncoding}, {"x", "", CodeEncoding}, {"\x02abc", "", CodeEncoding}, {"[1]", "", CodeEncoding},
		{"{", "", CodeJSON}, {good + "x", "", CodeJSON}, {"{}", "person", CodeMissing},
		{with(`"p"`, `""`), "person", CodeEmpty}, {with(`"p"`, `null`), "person", CodeMissing}, {with(`"p"`, `7`), "person", CodeType},
		{with(`"p"`, `"`+strings.Repeat("a", 257)+`"`), "person", CodeTooLong},
		{with(`"p"`, "\"\xff\""), "", CodeUTF8}, {with(`"p"`, `"\ud800"`), "person", CodeUTF8}, {with(`"p"`, `"\udc00\ud800"`), "person", CodeUTF8},
		{with(`"u"`, `""`), "url", CodeEmpty}, {with(`"u"`, `"`+strings.Repeat("a", MaxURL+1)+`"`), "url", CodeTooLong},
		{with(`"ts":1000000000000`, `"ts":1000000000000.0`), "ts", CodeTime}, {with(`"ts":1000000000000`, `"ts":1e3`), "ts", CodeTime}, {with(`"ts":1000000000000`, `"ts":-1`), "ts", Code1990},
		{with(`"ts":1000000000000`, `"ts":true`), "ts", CodeTime}, {with(`,"ts":1000000000000`, ``), "ts", CodeMissing},
		{with(`"ts":1000000000000`, `"ts":1431857103`), "ts", Code1990}, {with(`"ts":1000000000000`, `"ts":"1989-12-31T23:59:59.999Z"`), "ts", Code1990},
		{"\x01\x05\x01p\x01u\x00\x00\x00", "ts", Code1990},
		{with(`"ts":1000000000000`, `"ts":"1969-12-31T23:59:59.999Z"`), "ts", Code1990},
		{with(`"ts":1000000000000`, `"ts":1000000000000,"nonce":""`), "nonce", CodeEmpty}, {with(`"ts":1000000000000`, `"ts":1000000000000,"nonce":5`), "nonce", CodeType},
		{with(`"ts":1000000000000`, `"ts":1000000000000,"nonce":"`+strings.Repeat("n", 129)+`"`), "nonce", CodeTooLong},
		{"\x01", "ts", CodeTime}, {"\x01\x05\x09p", "person", CodeEncoding},
	} {
		var pv Pageview
		err := d.Decode([]byte(c.in), &pv)
		var r *Rejection
		if !errors.As(err, &r) || r.Field != c.field || r.Code != c.code {
			t.Errorf("%.60q: %v (%+v), want field %q, code %q", c.in, err, r, c.field, c.code)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text string
		ms   int64
	}{
		{"1970-01-01T00:00:00Z", 0}, {"2015-05-17T10:05:03+00:00", 1431857103000}, {"2015-05-17T12:05:03.9999+02:00", 1431857103999},
		{"2000-02-29T23:59:59-23:59", time.Date(2000, 3, 1, 23, 58, 59, 0, time.UTC).UnixMilli()},
		{"2016-12-31T23:59:60Z", 1483228799000}, {"2016-12-31T23:59:60.25Z", 1483228799250}, {"2017-01-01T08:59:60+09:00", 1483228799000},
		{"2016-12-31T15:59:60-08:00", 1483228799000}, {"9999-12-31T23:59:59Z", 253402300799000},
	} {
		if ms, err := ParseTime(c.text); err != nil || ms != c.ms {
			t.Errorf("ParseTime(%q) = %d, %v, want %d", c.text, ms, err, c.ms)
		}
	}
	for _, bad := range []string{"", "2015-05-17", "2015-05-17T10:05:03", "2015-05-17t10:05:03Z", "2015-05-17T10:05:03z", "2015-02-29T00:00:00Z",
		"2015-05-17T24:00:00Z", "2015-05-17T10:60:00Z", "2015-05-17T10:05:60Z", "2015-05-17T23:59:60Z", "2016-12-31T23:59:61Z", "2017-01-01T23:59:60+09:00", "1969-12-31T23:59:59Z", "2015-05-17T10:05:03,5Z", "2015-05-17T10:05:03.Z", "2015-05-17T10:05:03+0200",
		"2015-05-17T10:05:03+24:00", "2015-5-17T10:05:03Z", "2015-05-17 10:05:03Z", "2015-05-17T10:05:03.5", "+015-05-17T10:05:03Z"} {
		if ms, err := ParseTime(bad); err == nil {
			t.Errorf("ParseTime(%q) = %d, want an error", bad, ms)
		}
	}
}

// FuzzParseTime holds parseTime to the standard library where both say yes.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2015-05-17T10:05:03Z", "2016-02-29T23:59:59.123456789-11:30", "1970-01-01T00:00:00+00:01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := ParseTime(text)
		want, stdErr := time.Parse(time.RFC3339Nano, text)
		if err == nil && strings.Contains(text, ":60") {
			want, stdErr = time.Parse(time.RFC3339Nano, strings.Replace(text, ":60", ":59", 1))
		}
		if err == nil && (stdErr != nil || want.UnixMilli() != ms) {
			t.Fatalf("%q: %d, the standard library %v, %v", text, ms, want, stdErr)
		}
	})
}

// FuzzDecode: the scan and the parser agree, and what was decoded comes back
// from both encodings.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"person":"p","url":"u","ts":1000000000000}`, `{"nonce":"n","person":"\u00e9","url":"http://a/","ts":"2015-05-17T10:05:03Z","referrer":"r","user_agent":"x\"y"}`,
		`{"person":"a","person":"b","url":"u","ts":01}`, `{"Person":"p","url":"u","ts":1000000000000}`, "\x01\x85\xf8\xdc\x9c\xaf\x12\x01p\x01u\x00\x00\x00", `{"ts":-0,"person":"p","url":"u"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var d Decoder
		var pv, slow Pageview
		if len(value) > 0 && value[0] == '{' && scanJSON(value, &pv, 0) {
			if err := d.parseJSON(value, &slow); err != nil || !same(&pv, &slow) {
				t.Fatalf("%q: the scan says %+v, the parser %+v, %v", value, pv, slow, err)
			}
		}
		if d.Decode(value, &pv) != nil {
			return
		}
		for _, encoded := range [][]byte{AppendJSON(nil, &pv), AppendCompact(nil, &pv)} {
			var d2 Decoder
			var back Pageview
			if err := d2.Decode(encoded, &back); err != nil || !same(&pv, &back) {
				t.Fatalf("%q: encoded as %q: %v", value, encoded, err)
			}
		}
		if b := AppendJSON(nil, &pv); !json.Valid(b) {
			t.Fatalf("%q is not JSON", b)
		}
	})
}

func same(a, b *Pageview) bool {
	return string(a.Nonce) == string(b.Nonce) && a.HasNonce == b.HasNonce && string(a.Person) == string(b.Person) &&
		string(a.URL) == string(b.URL) && a.TS == b.TS && string(a.Referrer) == string(b.Referrer) && string(a.UserAgent) == string(b.UserAgent)
}

func FuzzEdge(f *testing.F) {
	f.Add([]byte(`{"id1":"a","id2":"b","ts":"2015-05-17T10:05:03Z","retract":true}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := DecodeEdge(value)
		if err != nil || e.TS > 253402300799000 {
			return
		}
		if back, err := DecodeEdge(e.AppendJSON(nil)); err != nil || back != e {
			t.Fatalf("%q: %+v comes back as %+v, %v", value, e, back, err)
		}
	})
}

// The vectors are Spark's: SELECT xxhash64('Spark') and the seed's own.
func TestPersonHash(t *testing.T) {
	if got := int64(PersonHash([]byte("Spark"))); got != -4294468057691064905 {
		t.Errorf("xxhash64('Spark') = %d", got)
	}
}

const sample = `{"nonce":"7f3d1c9a5b2e4f60","person":"user-123456","url":"https://www.example.com/blog/2015/05/some-article","ts":1431857103000,"referrer":"https://search.example/q","user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko"}`

func BenchmarkDecode(b *testing.B) {
	value := []byte(sample)
	b.Run("scan", func(b *testing.B) {
		var d Decoder
		var pv Pageview
		b.ReportAllocs()
		for b.Loop() {
			_ = d.Decode(value, &pv)
		}
	})
	b.Run("baseline-encoding-json", func(b *testing.B) {
		for b.Loop() {
			var v struct{ Nonce, Person, URL, Referrer string }
			_ = json.Unmarshal(value, &v)
		}
	})
}

// With a time of the record, an event without ts has that, however it is written;
// one that has a ts keeps it, and one that is wrong is still rejected.
func TestTimeOfTheRecord(t *testing.T) {
	const at = 1_600_000_000_000
	d := Decoder{Time: at}
	for value, want := range map[string]int64{
		`{"person":"p","url":"http://foo.com/"}`:                       at,
		`{"person":"p","url":"http://foo.com/","ts":null}`:             at,
		`{"person":"\u0070","url":"http://foo.com/"}`:                  at, // read the slow way
		`{"person":"p","url":"http://foo.com/","ts":1700000000000}`:    1_700_000_000_000,
		`{"person":"p","url":"http://foo.com/","ts":"no time at all"}`: 0,
	} {
		var pv Pageview
		err := d.Decode([]byte(value), &pv)
		if want == 0 && err == nil || want != 0 && (err != nil || pv.TS != want) {
			t.Errorf("%s: ts %d, %v; want %d", value, pv.TS, err, want)
		}
	}
}
