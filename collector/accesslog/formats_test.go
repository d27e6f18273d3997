package accesslog

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"speedlayer/event"
)

const (
	firefox  = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
	combined = `203.0.113.30 - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 612 "-" "` + firefox + `"`
)

// want is a pageview in short: time, person, url, user agent.
type want struct {
	time, person, url, agent string
}

// read reads lines as one file, and returns its pageviews.
func read(t *testing.T, o Options, lines string) (all []want) {
	t.Helper()
	p := NewParser(o)
	for text := range strings.SplitSeq(strings.TrimSuffix(lines, "\n"), "\n") {
		var l Line
		if err := p.Parse([]byte(text), &l); err != nil {
			if !errors.Is(err, ErrDirective) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		var pv event.Pageview
		if why, err := l.Pageview("site.example", &pv); why != "" {
			t.Errorf("%s: %s, %v", text, why, err)
			continue
		}
		all = append(all, want{event.FormatTime(pv.TS), string(pv.Person), string(pv.URL), string(pv.UserAgent)})
	}
	return all
}

// Each server's lines as its own documentation has them, or as it wrote them;
// the format is found from the first line that tells, and read whole.
func TestFormats(t *testing.T) {
	noon := func(host string) []want {
		return []want{{"2026-11-02T12:00:01Z", "203.0.113.30", "http://" + host + "/a", firefox}}
	}
	for name, c := range map[string]struct {
		format Format
		lines  string
		want   []want
	}{
		"combined": {Combined, combined, noon("site.example")},
		"common": {Common, `127.0.0.1 user-identifier frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.html HTTP/1.0" 200 2326`,
			[]want{{"2000-10-10T20:55:36Z", "frank", "http://site.example/apache_pb.html", ""}}},
		"vhost_combined":       {VHost, "www.shop.example:443 " + combined, noon("www.shop.example")},
		"vhost, IPv6 client":   {VHost, `shop.example:80 2001:DB8::0:1 - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 612 "-" "x"`, []want{{"2026-11-02T12:00:01Z", "2001:db8::1", "http://shop.example/a", "x"}}},
		"vhost without a port": {VHost, "shop.example " + combined, noon("shop.example")},
		"vhost by address":     {VHost, "192.0.2.1:443 " + combined, noon("192.0.2.1")},
		"vhost_common":         {VHost, `shop.example:80 203.0.113.30 - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 612`, []want{{"2026-11-02T12:00:01Z", "203.0.113.30", "http://shop.example/a", ""}}},
		"host names looked up": {Combined, strings.Replace(combined, "203.0.113.30", "Dial-7.ISP.example.", 1), []want{{"2026-11-02T12:00:01Z", "dial-7.isp.example", "http://site.example/a", firefox}}},
		"mapped IPv4":          {Combined, strings.Replace(combined, "203.0.113.30", "::ffff:203.0.113.30", 1), noon("site.example")},
		"with a port":          {Combined, strings.Replace(combined, "203.0.113.30", "203.0.113.30:51312", 1), noon("site.example")},
		"forwarded list":       {Combined, strings.Replace(combined, "203.0.113.30", "203.0.113.30, 10.0.0.2", 1), noon("site.example")},
		"list without spaces":  {Combined, strings.Replace(combined, "203.0.113.30", "unknown,203.0.113.30,10.0.0.2", 1), noon("site.example")},
		"list after a vhost":   {VHost, "shop.example:80 " + strings.Replace(combined, "203.0.113.30", "203.0.113.30, 10.0.0.2", 1), noon("shop.example")},
		"Cloudflare Logpush": {JSON, `{"ClientIP":"203.0.113.30","ClientRequestHost":"shop.example","ClientRequestMethod":"GET","ClientRequestURI":"/a","EdgeStartTimestamp":"2026-11-02T12:00:01Z","EdgeResponseStatus":200,"ClientRequestUserAgent":"` + firefox + `"}`,
			noon("shop.example")},
		"Google's load balancer": {JSON, `{"httpRequest":{"requestMethod":"GET","requestUrl":"http://shop.example/a","status":200,"userAgent":"` + firefox + `","remoteIp":"203.0.113.30"},"timestamp":"2026-11-02T12:00:01Z"}`, noon("shop.example")},
		"Azure Front Door":       {JSON, `{"time":"2026-11-02T12:00:01Z","properties":{"httpMethod":"GET","requestUri":"http://shop.example/a","clientIp":"203.0.113.30","httpStatusCode":"200","userAgent":"` + firefox + `"}}`, noon("shop.example")},
		"GELF":                   {Combined, `{"version":"1.1","host":"web1","short_message":` + strconv.Quote(combined) + `,"timestamp":1793620801.1}`, noon("site.example")},
		"Filebeat":               {Combined, `{"@timestamp":"2026-11-02T12:00:02Z","message":` + strconv.Quote(combined) + `,"agent":{"type":"filebeat"}}`, noon("site.example")},
		"nginx main":             {Combined, strings.Replace(combined, "203.0.113.30", "10.0.0.2", 1) + ` "203.0.113.30"`, noon("site.example")},
		"nginx main, no proxy":   {Combined, combined + ` "-"`, noon("site.example")},
		"nginx main, forged":     {Combined, combined + ` "192.0.2.66"`, noon("site.example")},
		"nginx behind a socket":  {Combined, strings.Replace(combined, "203.0.113.30", "unix:", 1) + ` "203.0.113.30"`, noon("site.example")},
		"nginx with more fields": {Combined, strings.Replace(combined, "203.0.113.30", "10.0.0.2", 1) + ` "203.0.113.30" 0.003 0.001 "site.example"`, noon("site.example")},
		"ISO time":               {Combined, strings.Replace(combined, "02/Nov/2026:12:00:01 +0000", "2026-11-02T13:00:01+01:00", 1), noon("site.example")},
		"Traefik":                {Combined, `203.0.113.30 - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 612 "-" "` + firefox + `" 42 "web@docker" "http://10.0.0.3:80" 12ms`, noon("site.example")},
		"HAProxy, CLF": {Combined, `203.0.113.30 - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 612 "" "" 33317 655 "http-in" "static" "srv1" 10 0 30 69 109 ---- 1 1 1 1 0 0 0 "" ""`,
			[]want{{"2026-11-02T12:00:01Z", "203.0.113.30", "http://site.example/a", ""}}},
		"HAProxy": {HAProxy, `Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`,
			[]want{{"2009-02-06T12:14:14.655Z", "10.0.1.2", "http://site.example/index.html", ""}}},
		"IIS": {W3C, `#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-11-02 00:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken
2026-11-02 00:00:05 10.0.0.5 GET /caf%C3%A9 q=1 443 - 203.0.113.102 Mozilla/5.0+(Windows+NT+10.0) - 200 0 0 15
#Fields: time c-ip cs-host cs-method cs-uri-stem sc-status cs-username X-Forwarded-For
00:00:09 10.0.0.7 shop.example GET /about 200 - 203.0.113.103,+10.0.0.7
00:00:10 fe80::1%4 shop.example GET /about 304 DOMAIN\frank -`,
			[]want{{"2026-11-02T00:00:05Z", "203.0.113.102", "http://site.example/caf%C3%A9?q=1", "Mozilla/5.0 (Windows NT 10.0)"},
				{"2026-11-02T00:00:09Z", "203.0.113.103", "http://shop.example/about", ""}, {"2026-11-02T00:00:10Z", `DOMAIN\frank`, "http://shop.example/about", ""}}},
		"CloudFront": {CloudFront, "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for\n" +
			"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\tMozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)\t-\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\twww.example.com\thttps\t23\t0.001\t-\n" +
			"2019-12-04\t21:02:32\tLAX1\t392\t2001:db8::7\tGET\td111111abcdef8.cloudfront.net\t/b\t200\t-\tMozilla/5.0%2520(X11)\ta=1\t-\tHit\tk6WGMNkEzR5BEM_SaF47gjtX9zBDO2m349OY2an0QPEaUum1ZOLrow==\twww.example.com\thttps\t23\t0.001\t192.0.2.9",
			[]want{{"2019-12-04T21:02:31Z", "192.0.2.100", "http://www.example.com/index.html", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"},
				{"2019-12-04T21:02:32Z", "2001:db8::7", "http://www.example.com/b?a=1", "Mozilla/5.0 (X11)"}}},
		"ALB": {ALB, `http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"
h2 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.1.252:48160 10.0.0.66:9000 0.000 0.002 0.000 200 200 5 257 "GET https://10.0.2.105:773/ HTTP/2.0" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337327-72bd00b0343d75b906739c42" "-" "-" 1 2018-07-02T22:22:48.364000Z "redirect" "https://example.com:80/" "-" "10.0.0.66:9000" "200" "-" "-"`,
			[]want{{"2018-07-02T22:23:00.186Z", "192.168.131.39", "http://www.example.com:80/", "curl/7.46.0"}, {"2018-07-02T22:23:00.186Z", "10.0.1.252", "https://10.0.2.105:773/", "curl/7.46.0"}}},
		"ELB": {ELB, `2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -`,
			[]want{{"2015-05-13T23:39:43.945Z", "192.168.131.39", "http://www.example.com:80/", "curl/7.38.0"}}},
		"Caddy": {Caddy, `{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.9","remote_port":"41342","client_ip":"203.0.113.1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/a b","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]},"tls":{"resumed":false}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"]}}
{"level":"info","ts":"2026-11-02T12:00:01.500Z","logger":"http.log.access.log0","msg":"handled request","request":{"remote_addr":"203.0.113.2:53176","proto":"HTTP/1.1","method":"GET","host":"caddy.example:8443","uri":"/"},"status":200}`,
			[]want{{"2022-03-09T21:30:01.524Z", "203.0.113.1", "http://localhost/a%20b", "curl/7.82.0"}, {"2026-11-02T12:00:01.5Z", "203.0.113.2", "http://caddy.example:8443/", ""}}},
		"nginx JSON": {JSON, `{"time_local":"02/Nov/2026:12:00:01 +0000","remote_addr":"10.0.0.2","remote_user":"","request":"GET /a HTTP/1.1","status": "200","body_bytes_sent":"612","http_referrer":"","http_user_agent":"` + firefox + `","http_x_forwarded_for":"203.0.113.30"}`, noon("site.example")},
		"nginx JSON, default escapes": {JSON, `{"msec":"1793620801.000","remote_addr":"203.0.113.30","request_method":"GET","request_uri":"/a","host":"shop.example","status":200,"http_user_agent":"a \x22b\x22"}`,
			[]want{{"2026-11-02T12:00:01Z", "203.0.113.30", "http://shop.example/a", `a "b"`}}},
		"Traefik JSON": {JSON, `{"ClientAddr":"203.0.113.30:51312","ClientHost":"203.0.113.30","ClientUsername":"-","DownstreamStatus":200,"RequestAddr":"shop.example","RequestHost":"shop.example","RequestMethod":"GET","RequestPath":"/a","StartUTC":"2026-11-02T12:00:01.25Z","request_User-Agent":"x","level":"info","msg":"","time":"2026-11-02T12:00:01Z"}`,
			[]want{{"2026-11-02T12:00:01.25Z", "203.0.113.30", "http://shop.example/a", "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			found := Format("")
			for line := range strings.SplitSeq(c.lines, "\n") {
				if found = Detect([]byte(line), Options{}); found != "" {
					break
				}
			}
			if found != c.format {
				t.Fatalf("found %q, want %q", found, c.format)
			}
			got := read(t, Options{Format: found}, c.lines)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got  %q\nwant %q", got[i], c.want[i])
				}
			}
		})
	}
}

// What stands in front of a line is cut off, twice if need be.
func TestPrefixes(t *testing.T) {
	quotedLine := strings.ReplaceAll(combined, `"`, `\"`)
	for name, line := range map[string]string{
		"RFC 3164":                "Nov  2 12:00:01 web1 nginx: " + combined,
		"RFC 3164, on the wire":   "<190>Nov 12 12:00:01 web1 nginx[812]: " + combined,
		"RFC 3164, no tag":        "Nov  2 12:00:01 web1 " + combined,
		"RFC 3164, a year":        "Nov  2 2026 12:00:01 web1 nginx: " + combined,
		"RFC 5424":                "<165>1 2026-11-02T12:00:01.003Z web1.example.com nginx 812 - - " + combined,
		"RFC 5424, data":          `<165>1 2026-11-02T12:00:01.003+01:00 web1 nginx 812 ID47 [a@32473 iut="3" x="\"]"][b c="d"] ` + "\ufeff" + combined,
		"rsyslog's file":          "2026-11-02T12:00:01.123456+00:00 web1 nginx: " + combined,
		"journald":                "Nov 02 12:00:01 web1 nginx[812]: " + combined,
		"journald, precise":       "Nov 02 12:00:01.123456 web1 nginx[812]: " + combined,
		"journald, ISO":           "2026-11-02T12:00:01+0000 web1 nginx[812]: " + combined,
		"journald, full":          "Mon 2026-11-02 12:00:01 UTC web1 nginx[812]: " + combined,
		"journald, unix":          "1793620801.123456 web1 nginx[812]: " + combined,
		"journald, JSON":          `{"PRIORITY":"6","_HOSTNAME":"web1","MESSAGE":"` + quotedLine + `"}`,
		"Docker":                  `{"log":"` + quotedLine + `\n","stream":"stdout","time":"2026-11-02T12:00:01.123456789Z"}`,
		"Docker, timestamps":      "2026-11-02T12:00:01.123456789Z " + combined,
		"Compose":                 "web-1  | " + combined,
		"Compose, colours":        "\x1b[36mweb-1  | \x1b[0m" + combined,
		"Compose, timestamps":     "web-1  | 2026-11-02T12:00:01.123456789Z " + combined,
		"Compose, old":            "web_1            | " + combined,
		"Kubernetes":              "2026-11-02T12:00:01.123456789Z stdout F " + combined,
		"Kubernetes, offset":      "2026-11-02T12:00:01.123456789+01:00 stderr F " + combined,
		"kubectl":                 "[pod/web-7c5/nginx] " + combined,
		"Heroku":                  "2026-11-02T12:00:01.000000+00:00 app[web.1]: " + combined,
		"Docker's JSON of syslog": `{"log":"Nov  2 12:00:01 web1 nginx: ` + quotedLine + `\n","stream":"stdout"}`,
	} {
		if f := Detect([]byte(line), Options{}); f != Combined {
			t.Errorf("%s: found %q", name, f)
		}
		got := read(t, Options{Format: Combined}, line)
		if len(got) != 1 || got[0] != (want{"2026-11-02T12:00:01Z", "203.0.113.30", "http://site.example/a", firefox}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	inner := `{"log":"{\"ts\":1793620801,\"request\":{\"client_ip\":\"203.0.113.30\",\"method\":\"GET\",\"host\":\"h.example\",\"uri\":\"/a\"},\"status\":200}\n","stream":"stdout"}`
	if got := read(t, Options{Format: Caddy}, inner); len(got) != 1 || got[0] != (want{"2026-11-02T12:00:01Z", "203.0.113.30", "http://h.example/a", ""}) || Detect([]byte(inner), Options{}) != Caddy {
		t.Errorf("Caddy in Docker: got %q", got)
	}
}

// Anything else in front is another format, never a person.
func TestFirstField(t *testing.T) {
	rest := strings.TrimPrefix(combined, "203.0.113.30")
	for first, want := range map[string]error{
		"-":                        ErrNoAddress,
		"unix:":                    ErrAddress,
		"INFO 203.0.113.30":        ErrAddress,
		"web1 nginx 203.0.113.30":  ErrAddress,
		"12:00:01":                 ErrAddress,
		"203.0.113":                ErrAddress,
		"203.0.113.1,":             ErrAddress,
		"a, b":                     ErrAddress,
		"203.0.113.1 203.0.113.30": ErrTwo,
		"GET":                      nil, // a host may have that name
	} {
		var l Line
		if err := parse(first+rest, Combined, &l); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", first, err, want)
		}
	}
}

func TestClientFrom(t *testing.T) {
	cdn := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		first, list string
		from        ClientFrom
		trusted     []netip.Prefix
		want        string
	}{
		{"10.0.0.2", "203.0.113.1", Auto, nil, "203.0.113.1"},
		{"10.0.0.2", "203.0.113.1", First, nil, "10.0.0.2"},
		{"10.0.0.2", "-", Auto, nil, "10.0.0.2"},
		{"198.51.100.7", "203.0.113.1", Auto, nil, "198.51.100.7"},
		{"198.51.100.7", "203.0.113.1", Forwarded, nil, "203.0.113.1"},
		{"198.51.100.7", "-", Forwarded, nil, "198.51.100.7"},
		{"198.51.100.7", "203.0.113.1", Auto, cdn, "203.0.113.1"},
		{"10.0.0.2", "203.0.113.1, 198.51.100.7", Auto, cdn, "203.0.113.1"},
		{"10.0.0.2", "192.0.2.66, 203.0.113.1, 198.51.100.7", Forwarded, cdn, "203.0.113.1"},
		{"192.168.0.2", "203.0.113.1", Auto, cdn, "192.168.0.2"},
		{"192.168.0.2", "203.0.113.1", Forwarded, cdn, "192.168.0.2"},
		{"10.0.0.2", "10.1.1.1", Auto, nil, "10.1.1.1"},
		{"10.0.0.2", "[2001:DB8::1]:443", Auto, nil, "2001:db8::1"},
	} {
		p := NewParser(Options{Format: Combined, ClientFrom: c.from, Trusted: c.trusted})
		var l Line
		if err := p.Parse([]byte(strings.Replace(combined, "203.0.113.30", c.first, 1)+` "`+c.list+`"`), &l); err != nil || string(l.Addr) != c.want {
			t.Errorf("%+v: %q, %v", c, l.Addr, err)
		}
	}
	p := NewParser(Options{Format: Combined})
	var l Line
	if err := p.Parse([]byte(strings.Replace(combined, "203.0.113.30", "10.0.0.2", 1)+` "203.0.113.1, 198.51.100.7"`), &l); err != nil || string(l.Addr) != "198.51.100.7" {
		t.Errorf("%q, %v", l.Addr, err)
	}
	if notes := strings.Join(p.Notes(), "\n"); !strings.Contains(notes, "several public addresses") || !strings.Contains(notes, "--client-from") {
		t.Errorf("notes are %s", notes)
	}
}

func TestLogTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for text, want := range map[string]string{
		"31/Dec/2016:23:59:60 +0000":    "2016-12-31T23:59:59Z",
		"01/Jan/2017:08:59:60 +0900":    "2016-12-31T23:59:59Z",
		"30/Dec/2016:23:59:60 +0000":    "",
		"31/Dec/2016:23:59:61 +0000":    "",
		"31/Nov/2016:23:59:59 +0000":    "",
		"02/Nov/2026:12:00:01 -0730":    "2026-11-02T19:30:01Z",
		"02/Nov/2026:12:00:01.25 +0100": "2026-11-02T11:00:01.25Z",
		"02/Nov/2026:12:00:01":          "",
		"1793620801":                    "2026-11-02T12:00:01Z",
		"1793620801.5":                  "2026-11-02T12:00:01.5Z",
		"1793620801500":                 "2026-11-02T12:00:01.5Z",
		"1793620801500000":              "2026-11-02T12:00:01.5Z",
		"1793620801500000000":           "2026-11-02T12:00:01.5Z",
		"1.793620801e9":                 "2026-11-02T12:00:01Z",
		"2026-11-02T12:00:01+0000":      "2026-11-02T12:00:01Z",
		"2026-11-02 12:00:01":           "2026-11-02T11:00:01Z",
		"2026/11/02 12:00:01.5":         "2026-11-02T11:00:01.5Z",
		"2017-01-01 00:59:60":           "2016-12-31T23:59:59Z",
		"yesterday":                     "",
	} {
		p := NewParser(Options{Format: JSON, Zone: berlin})
		ms, ok := p.anyTime(text)
		if got := event.FormatTime(ms); ok != (want != "") || ok && got != want {
			t.Errorf("%s is %s, %v, want %s", text, got, ok, want)
		}
	}
}

// A field map names what the usual names do not; what is missing is named.
func TestFieldMap(t *testing.T) {
	line := `{"at":"2026-11-02T12:00:01Z","who":{"ip":["203.0.113.30"]},"req":{"verb":"GET","to":"/a"},"code":200,"site":"s.example"}`
	o := Options{Format: JSON, Fields: map[string]string{"time": "at", "client": "who.ip", "method": "req.verb", "target": "req.to", "status": "code", "host": "site"}}
	if got := read(t, o, line); len(got) != 1 || got[0] != (want{"2026-11-02T12:00:01Z", "203.0.113.30", "http://s.example/a", ""}) {
		t.Errorf("got %q", got)
	}
	if f := Detect([]byte(line), Options{}); f != "" {
		t.Errorf("found %q without the fields", f)
	}
	if f := Detect([]byte(line), o); f != JSON {
		t.Errorf("found %q with the fields", f)
	}
	var l Line
	if err := parse(`{"time":1793620801,"method":"GET","url":"/","status":200}`, JSON, &l); err == nil || !strings.Contains(err.Error(), "no client") {
		t.Errorf("no client: %v", err)
	}
}

func TestW3CWithoutWhatIsNeeded(t *testing.T) {
	p := NewParser(Options{Format: W3C})
	var l Line
	if err := p.Parse([]byte("2026-11-02 00:00:05 GET / 200"), &l); !errors.Is(err, ErrNoFields) {
		t.Errorf("no #Fields: %v", err)
	}
	_ = p.Parse([]byte("#Fields: date time cs-method cs-uri-stem sc-status"), &l)
	if err := p.Parse([]byte("2026-11-02 00:00:05 GET / 200"), &l); err == nil || !strings.Contains(err.Error(), "c-ip") {
		t.Errorf("no c-ip: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	for _, line := range []string{"", "x", "#Version: 1.0", "{}", `{"a":1}`, "<?xml version='1.0'?>", "Nov  2 12:00:01 web1 sshd[1]: Accepted publickey", "\x00\x00", "{{{", "<1>", "1 - - - - -",
		"1794304800.123    100 203.0.113.10 TCP_MISS/200 5 GET http://h.example/a - DIRECT/1.2.3.4 text/html", "2026-11-02T12:00:01Z  ", "Nov  2 12:00:01   x", "<165>", "web |"} {
		if f := Detect([]byte(line), Options{}); f != "" {
			t.Errorf("%q: found %q", line, f)
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("<165>1 2026-11-02T12:00:01.003Z web1 nginx 812 - [a b=\"c\"] " + combined))
	f.Add([]byte("#Fields: date time c-ip"))
	f.Add([]byte("1794304800.123    100 203.0.113.10 x"))
	f.Add([]byte("<1>Nov  2 12:00:01  web1 nginx: x"))
	f.Add([]byte("[pod/a/b] web-1  | 2026-11-02T12:00:01Z stdout F x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		o := Options{Format: Detect(line, Options{})}
		var l Line
		if o.Format != "" && o.Format != JSONLines && o.Format != W3C && o.Format != CloudFront {
			if err := NewParser(o).Parse(line, &l); err != nil {
				t.Fatalf("%q: found %s, but %v", line, o.Format, err)
			}
		}
	})
}
