package oracle

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"speedlayer/event"
)

// agree compares this package's reading of a value with event's, which has
// fast ways of its own.
func agree(t *testing.T, value []byte) (understood bool) {
	t.Helper()
	var d event.Decoder
	var pv event.Pageview
	err := d.Decode(value, &pv)
	page := ""
	if err == nil {
		page, err = event.Page(string(pv.URL))
	}
	got, rejected := decode(value, 0, Page)
	if (err != nil) != (rejected != nil) {
		t.Fatalf("%q: event says %v, the oracle %v", value, err, rejected)
	}
	if err != nil {
		return false
	}
	want := Pageview{string(pv.Nonce), string(pv.Person), string(pv.URL), page, pv.TS, string(pv.Referrer), string(pv.UserAgent)}
	if got != want {
		t.Fatalf("%q: event says\n%+v, the oracle\n%+v", value, want, got)
	}
	if d := Domain(page); d != string(event.DomainOf([]byte(page))) {
		t.Fatalf("domain of %q: %q", page, d)
	}
	if h := personHash(got.Person); h != event.PersonHash(pv.Person) {
		t.Fatalf("hash of %q: %x", got.Person, h)
	}
	return true
}

var values = []string{
	`{"nonce":"a","person":"83.149.9.216","url":"http://www.Foo.com:80/a/../b%2dc/?q#f","ts":1431857103123,"referrer":"http://x.com/","user_agent":"M"}`,
	`{"person":"p\u0041\ud83d\ude00","url":"https://xn--nxasmq6b/%zz","ts":"2015-05-17T10:05:03.999+02:00"}`,
	`{ "nonce" : null , "ts" : 1000000000000, "url" : "http://0x7f.1/", "person" : "\\\"" , "more":[1,{"a":"}"}]}`,
	`{"person":"ü","url":"http://bücher.example./","ts":"2016-12-31T23:59:60Z","nonce":"n","nonce":"m"}`,
	`{"person":"p","url":"http://[::ffff:1.2.3.4]:8080//","ts":1000000000000}`,
	"\x01\x85\xf8\xdc\x9c\xaf\x12\x04user\x13http://foo.com/a/b/\x02n1\x00\x03M/5",
}

func TestAgreesWithEvent(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	const alphabet = "\"\\{}:,[]0123456789abcdefTZ+-. %/?#@wW\x00\x01\x7f\x80\xc3\xff\n"
	understood := 0
	for i := range 20_000 {
		b := []byte(values[i%len(values)])
		for range rng.IntN(4) {
			at := rng.IntN(len(b))
			switch rng.IntN(3) {
			case 0:
				b[at] = alphabet[rng.IntN(len(alphabet))]
			case 1:
				b = append(b[:at], b[at+1:]...)
			default:
				b = fmt.Appendf(nil, "%s%c%s", b[:at], alphabet[rng.IntN(len(alphabet))], b[at:])
			}
		}
		if agree(t, b) {
			understood++
		}
	}
	if understood < 5000 {
		t.Errorf("only %d values were understood", understood)
	}
}

func FuzzAgreesWithEvent(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, value []byte) { agree(t, value) })
}
