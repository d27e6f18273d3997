package generate

import "strconv"

// persons are numbers. Of each four that follow each other, the last is a user
// name and the others are addresses, which equiv edges may link to it.

func isUser(person uint32) bool { return person%4 == 3 }

// userOf is the user name among the four that a person belongs to.
func userOf(person uint32) uint32 { return person | 3 }

// appendPerson writes the identifier of a person. Different ones differ.
func appendPerson(b []byte, person uint32) []byte {
	if isUser(person) {
		b = append(b, nouns[person/4%uint32(len(nouns))]...)
		return strconv.AppendUint(b, uint64(person), 10)
	}
	// An odd factor is a bijection of 32 bits, so no address comes twice.
	a := person*0x9e3779b1 + 0x2545f491
	for i := 3; i >= 0; i-- {
		b = strconv.AppendUint(b, uint64(a>>(8*i)&255), 10)
		if i > 0 {
			b = append(b, '.')
		}
	}
	return b
}

// The user agents of browsers are shortened a little, so that a pageview stays
// below 250 bytes.
var browsers = [...]string{
	"Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/126.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17 Safari/605",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148",
	"Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0.0.0 Mobile",
	"Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Safari/604.1",
}

var robots = [...]string{
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com/bot.html)",
	"Mozilla/5.0 (compatible; bingbot/2.0; +http://bing.com/bingbot.htm)",
	"Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
	"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
}

var referrers = [...]string{
	"", "", "", "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/", "https://t.co/",
	"https://lobste.rs/", "https://www.reddit.com/",
}
