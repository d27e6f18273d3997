package event

import "testing"

func TestWithRoute(t *testing.T) {
	for url, page := range map[string]string{
		"https://foo.com/#/about":             "foo.com/%23/about",
		"https://foo.com#/about":              "foo.com/%23/about",
		"https://www.foo.com/app/#/about/":    "foo.com/app%23/about",
		"https://foo.com/app#/about?x=1":      "foo.com/app%23/about",
		"https://foo.com/app?y=2#/about#here": "foo.com/app%23/about",
		"https://foo.com/#!/about":            "foo.com/%23!/about",
		"https://foo.com/#!about":             "foo.com/%23!about",
		"https://foo.com:8443/#/a b":          "foo.com:8443/%23/a%20b",
		"https://foo.com/app#/":               "foo.com/app",
		"https://foo.com/app#!/":              "foo.com/app",
		"https://foo.com/#!":                  "foo.com/",
		"https://foo.com/app#about":           "foo.com/app",
		"https://foo.com/app#":                "foo.com/app",
		"https://foo.com/app":                 "foo.com/app",
	} {
		got, err := Page(WithRoute(url))
		if err != nil || got != page {
			t.Errorf("page of %s is %q, %v, want %q", url, got, err, page)
		}
		if again, err := Page("http://" + got); err != nil || again != got {
			t.Errorf("page of %s is %q, %v: normalising twice changes it", got, again, err)
		}
		if target, domain, err := ParseTarget(url); err != nil || domain || target != page {
			t.Errorf("a query for %s asks for %q, %v", url, target, err)
		}
	}
	for _, url := range []string{"", "#/about", "//#/", "mailto:x#/about", "https://#/x", "about:blank#!x"} {
		if _, err := Page(WithRoute(url)); err == nil {
			t.Errorf("%q is taken for a page", url)
		}
	}
	for _, text := range []string{"foo.com/#/about", "foo.com#/about"} {
		if target, domain, err := ParseTarget(text); err != nil || domain || target != "foo.com/%23/about" {
			t.Errorf("a query for %s asks for %q, %v", text, target, err)
		}
	}
}
