package event

import "testing"

func TestIsPage(t *testing.T) {
	for url, want := range map[string]bool{
		"http://a.b": true, "http://a.b/": true, "http://a.b/x": true, "http://a.b/x.html": true, "http://a.b/x.HTM?y.png": true,
		"http://a.b/x.png": false, "http://a.b/x.png/": true, "http://a.b/.htaccess": false, "http://a.b/.html": true,
		"http://a.b/logstash-2012.10/": true, "http://a.b/logstash-2012.10": false, "http://a.b/x.tar.php": true, "http://a.b/x.": false,
		"http://a.b/x%2Epng": false, "http://a.b/d.png/..": true, "http://a.b/x%2Fy.png": false, "HTTP://A.b/x.ASPX": true, "http://a.b/%20/": true,
		"http://a.b?x.png": true,
	} {
		if got, err := IsPage([]byte(url)); got != want || err != nil {
			t.Errorf("IsPage(%q) = %v, %v, want %v", url, got, err, want)
		}
	}
	if _, err := IsPage([]byte("ftp://a.b/")); err == nil {
		t.Error("a url that is not a page is one")
	}
}
