package bots

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// browsers are what people use; none of them is a bot.
var browsers = []string{
	"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E219 [FBAN/FBIOS;FBAV/450.0.0.38.108;FBBV/564431005;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.4;FBSS/3;FBCR/;FBID/phone;FBLC/de_DE;FBOP/80]",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/307.0.617316724 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E219 Instagram 325.0.3.34.90 (iPhone14,5; iOS 17_4; en_US; en; scale=3.00; 1170x2532; 578763105)",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/123.0.6312.52 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 8.1.0; CUBOT_NOVA) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.91 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; Android 13; Pixel 7 Build/TQ3A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36 Edg/123.0.0.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 YaBrowser/24.4.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36 OPR/109.0.0.0",
	"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
	"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; .NET CLR 2.0.50727)",
	"Opera/9.80 (J2ME/MIDP; Opera Mini/9.80 (S60; SymbOS; Opera Mobi/23.334; U; id) Presto/2.5.25 Version/10.54",
	"Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15",
	"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36 Vivaldi/6.6",
	"", "-", "\xff\xfe not utf-8",
}

func TestKind(t *testing.T) {
	want := map[string]Kind{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                    "search-engine",
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)":                                     "search-engine",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0 Safari/537.36": "browser-automation",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)":      "ai-crawler",
		"curl/8.5.0":                           Library,
		"python-requests/2.31.0":               Library,
		"node":                                 Library,
		"Java/17.0.1":                          Library,
		"ELB-HealthChecker/2.0":                "health-check",
		"kube-probe/1.27":                      "health-check",
		"GoogleHC/1.0":                         "health-check",
		"Consul Health Check":                  "health-check",
		"Envoy/HC":                             "health-check",
		"my-own-healthcheck/3":                 "health-check",
		"Readiness probe":                      "health-check",
		"HealthCheck/1.0":                      "health-check",
		"SomethingNobodyHeardOf-spider (test)": Crawler,
	}
	for _, agent := range browsers {
		want[agent] = None
	}
	var m Matcher
	for agent, want := range want {
		for range 2 { // the second answer is the remembered one
			if got := m.Kind([]byte(agent)); got != want || m.IsBot([]byte(agent)) != (want != None) {
				t.Errorf("Kind(%q) = %q, want %q", agent, got, want)
			}
		}
	}
}

// The index answers as all patterns, one after the other, would.
func TestIndexFindsWhatPatternsMatch(t *testing.T) {
	ix, all := newIndex(), []*regexp.Regexp{}
	var texts []string
	for i, list := range []string{ownText, crawlersText, detectText} {
		for line := range lines(list) {
			if i == 2 {
				line = "x\t(?i)" + line
			}
			kind, expr, ok := strings.Cut(line, "\t")
			if !ok || kind == "" {
				t.Fatalf("%q has no kind", line)
			}
			ix.mustAdd(Kind(kind), expr)
			all = append(all, regexp.MustCompile(expr))
			plain := strings.NewReplacer(`\`, "", "^", "", "$", "", "(", "", ")", "").Replace(expr)
			texts = append(texts, plain, "Mozilla/5.0 ("+strings.ToUpper(plain)+"/1.0)")
		}
	}
	if len(ix.rest) > 5 {
		t.Errorf("%d patterns are run on every text", len(ix.rest))
	}
	for n, text := range append(texts, browsers...) {
		if n%29 != 0 && n < len(texts) { // each takes thousands of matches
			continue
		}
		want := false
		for _, re := range all {
			want = want || re.MatchString(text)
		}
		if got := ix.kind([]byte(text)) != None; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestOperatorPatterns(t *testing.T) {
	l, err := Default().With(strings.NewReader("# ours\n\n^AcmeMonitor/\n(?i)intranet scanner\n"))
	if err != nil {
		t.Fatal(err)
	}
	for agent, want := range map[string]Kind{"AcmeMonitor/1.0": Pattern, "The Intranet Scanner": Pattern, "kube-probe/1": "health-check", browsers[0]: None} {
		if got := l.Kind([]byte(agent)); got != want {
			t.Errorf("Kind(%q) = %q, want %q", agent, got, want)
		}
	}
	if got := Default().Kind([]byte("AcmeMonitor/1.0")); got != None {
		t.Errorf("the default list has it as well: %q", got)
	}
	if _, err := Default().With(strings.NewReader("fine\n(broken\n")); err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "allowed") {
		t.Errorf("a broken pattern: %v", err)
	}
}

func BenchmarkKind(b *testing.B) {
	l := Default()
	for i, agent := range []string{browsers[0], browsers[4], "kube-probe/1.27"} {
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			for b.Loop() {
				l.Kind([]byte(agent))
			}
		})
	}
}
