package event

import "testing"

// Hosts that are not ASCII go through UTS 46 without its STD3 rules, as the
// standard says. The pages are those of two other implementations of it.
func TestInternationalHosts(t *testing.T) {
	for url, want := range map[string]string{
		"http://a_b.b\u00fccher.de/":           "a_b.xn--bcher-kva.de/",
		"http://a_b.foo\u3002:8080/":           "a_b.foo:8080/",
		"http://b%C3%BCcher_2.de/":             "xn--bcher_2-n2a.de/",
		"http://\u2615$com/":                   "xn--$com-pj3b/",
		"http://f*a\u00df.de/":                 "xn--f*a-7ka.de/",
		"http://ex\u2260ample.de/":             "xn--example-iw0d.de/",
		"http://-a.\u00fc/":                    "-a.xn--tda/",
		"http://1.\uff57\uff57\uff57.2.3.-4/":  "1.www.2.3.-4/",
		"http://www.Stra\u1e9ee.de/":           "xn--strae-oqa.de/",
		"http://foo\u180e.com/":                "foo.com/",
		"http://\uff11\uff12\uff17.1/":         "127.0.0.1/",
		"http://foo.\u00ad/":                   "foo/",
		"http://\u00fc.xn--bcher-kva.\uff44e/": "xn--tda.xn--bcher-kva.de/",
	} {
		if got, err := Page(url); err != nil || got != want {
			t.Errorf("Page(%q) = %q, %v, want %q", url, got, err, want)
		}
	}
	for _, url := range []string{
		"http://\u00fc.xn--/", "http://\u00fc.xn--.de/", "http://\uff58n-\u00ad-/", "http://\u00fc.xn--foo-/", "http://\u00fc.xn--a/",
		"http://\u00fc|.de/", "http://\u00fc^.de/", "http://\u00fc<.de/", "http://\u00fc\uff05.de/", "http://\u00fc\uff0f.de/",
		"http://\u00fc..de/", "http://\u05d0a.de/", "http://\u0301a.de/", "http://a\u200db.de/", "http://www.\uff11.256/",
	} {
		if got, err := Page(url); err == nil {
			t.Errorf("Page(%q) = %q, want a refusal", url, got)
		}
	}
}
