package bots

import "testing"

func TestIsBot(t *testing.T) {
	var m Matcher
	for agent, want := range map[string]bool{
		"": false,
		"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0":                  false,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36": false,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                true,
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)":                 true,
		"\xff\xfe not utf-8": false,
	} {
		for range 2 { // the second answer is the remembered one
			if got := m.IsBot([]byte(agent)); got != want {
				t.Errorf("IsBot(%q) = %v, want %v", agent, got, want)
			}
		}
	}
}
