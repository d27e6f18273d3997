package clientaddr

import (
	"net/netip"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":            "203.0.113.7",
		"203.0.113.7:51312":      "203.0.113.7",
		"::ffff:203.0.113.7":     "203.0.113.7",
		"[::ffff:cb00:7107]:443": "203.0.113.7",
		"2001:DB8:0:0::1":        "2001:db8::1",
		"[2001:db8::1]":          "2001:db8::1",
		"[2001:db8::1]:8080":     "2001:db8::1",
		`"[2001:db8::1]:8080"`:   "2001:db8::1",
		"fe80::1%eth0":           "fe80::1",
		"[fe80::1%25eth0]:80":    "fe80::1",
		"::ffff:192.0.2.1%3":     "192.0.2.1",
		"":                       "",
		"-":                      "",
		"unknown":                "",
		"203.0.113":              "",
		"203.0.113.7:":           "",
		"203.0.113.7, 10.0.0.1":  "",
		"host.example":           "",
	} {
		got, ok := Parse(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("Parse(%q) = %v, %v, want %q", text, got, ok, want)
		}
	}
}

func TestClient(t *testing.T) {
	proxies := In([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("198.51.100.0/24")})
	for _, c := range []struct {
		peer  string
		lists []string
		want  string
	}{
		{"203.0.113.1", []string{"192.0.2.1"}, "203.0.113.1"}, // not a proxy: it may write what it likes
		{"10.0.0.2", nil, "10.0.0.2"},
		{"10.0.0.2", []string{"192.0.2.1"}, "192.0.2.1"},
		{"10.0.0.2", []string{"192.0.2.1, 198.51.100.1"}, "192.0.2.1"},
		{"10.0.0.2", []string{"192.0.2.1", "198.51.100.1:443"}, "192.0.2.1"},
		{"10.0.0.2", []string{"192.0.2.9, 192.0.2.1,10.0.0.1"}, "192.0.2.1"},
		{"10.0.0.2", []string{"unknown, 10.0.0.1"}, "10.0.0.1"},
		{"10.0.0.2", []string{"10.0.0.4, 10.0.0.1"}, "10.0.0.4"},
		{"10.0.0.2", []string{""}, "10.0.0.2"},
	} {
		if got := Client(netip.MustParseAddr(c.peer), c.lists, proxies); got.String() != c.want {
			t.Errorf("Client(%s, %q) = %v, want %s", c.peer, c.lists, got, c.want)
		}
	}
}

func TestPrivate(t *testing.T) {
	for text, want := range map[string]bool{"10.1.2.3": true, "127.0.0.1": true, "::1": true, "172.31.0.1": true, "192.168.0.1": true,
		"fd00::1": true, "fe80::1": true, "169.254.1.1": true, "100.64.0.1": true, "203.0.113.1": false, "2001:db8::1": false, "172.32.0.1": false} {
		if got := Private(netip.MustParseAddr(text)); got != want {
			t.Errorf("Private(%s) = %v", text, got)
		}
	}
}
