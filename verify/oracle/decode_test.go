package oracle

import (
	"fmt"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", 300)
	const rest = `,"url":"http://foo.com/","ts":1000000000000}`
	for value, want := range map[string]string{ // empty: rejected; else person|nonce|ts
		`{"person":"p"` + rest:                        "p||1000000000000",
		`{"person":"p","nonce":null` + rest:           "p||1000000000000",
		`{"person":"p","nonce":"n"` + rest:            "p|n|1000000000000",
		`{"person":"p","nonce":""` + rest:             "",
		`{"person":"p","nonce":7` + rest:              "",
		`{"person":"p","nonce":"` + long + `"` + rest: "",
		`{"person":"` + long + `"` + rest:             "",
		`{"person":""` + rest:                         "",
		`{"person":null` + rest:                       "",
		`{"Person":"p"` + rest:                        "", // names are exact
		`{"\u0070erson":"\u0070\ud83d\ude00"` + rest:  "p😀||1000000000000",
		`{"person":"\ud83d"` + rest:                   "",
		`{"person":"\ude00"` + rest:                   "",
		`{"person":"\\ud83d"` + rest:                  `\ud83d||1000000000000`,
		`{"person":"p","else":"\ud83d"` + rest:        "p||1000000000000", // an unknown field
		`{"person":"p","person":"q"` + rest:           "q||1000000000000",
		"{\"person\":\"\xff\"" + rest:                 "",
		`{"person":"p"` + rest + ` x`:                 "",
		` {"person":"p"` + rest:                       "",
		``:                                            "",
		`[]`:                                          "",
		"\x02":                                        "",
		`{"person":"p","url":"ftp://foo.com/","ts":1000000000000}`:            "",
		`{"person":"p","url":"http://foo.com/"}`:                              "",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x01p\x0ehttp://foo.com\x01n\x00\x00":    "p|n|631152000005",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x01p\x0ehttp://foo.com\x00\x00\x00":     "p||631152000005",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x01p\x0ehttp://foo.com\x00\x00\x00\x00": "",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x01p\x0ehttp://foo.com\x00\x00\x01":     "",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x01\xff\x0ehttp://foo.com\x00\x00\x00":  "",
		"\x01\x85\xf8\xdc\x9c\xaf\x12\x00\x0ehttp://foo.com\x00\x00\x00":      "",
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01":                    "",
	} {
		pv, err := decode([]byte(value), 0, Page)
		got := ""
		if err == nil {
			got = pv.Person + "|" + pv.Nonce + "|" + fmt.Sprint(pv.TS)
		}
		if got != want {
			t.Errorf("%q gives %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestTimes(t *testing.T) {
	const bad = -1
	for text, want := range map[string]int64{
		`0`: bad, `631152000000`: 631152000000, `631151999999`: bad, `1431857103`: bad, `1431857103123`: 1431857103123, `-1`: bad, `1.0`: bad, `1e3`: bad, `99999999999999999999`: bad, `true`: bad, `null`: bad,
		`"2015-05-17T10:05:03Z"`:            1431857103000,
		`"2015-05-17T10:05:03.123999Z"`:     1431857103123,
		`"2015-05-17T10:05:03.1+02:00"`:     1431849903100,
		`"1970-01-01T00:00:00+00:01"`:       bad,
		`"1969-12-31T23:59:59.9999Z"`:       bad,
		`"2015-05-17T10:05:03"`:             bad,
		`"2015-05-17t10:05:03z"`:            bad,
		`"2015-05-17 10:05:03Z"`:            bad,
		`"2015-05-17T10:05:03,1Z"`:          bad,
		`"2015-05-17T1:05:03Z"`:             bad,
		`"2015-05-17T10:05:60Z"`:            bad,
		`"2015-05-17T23:59:60Z"`:            bad,
		`"2016-12-31T23:59:60.5Z"`:          1483228799500,
		`"2017-01-01T08:59:60+09:00"`:       1483228799000,
		`"2017-01-01T23:59:60+09:00"`:       bad,
		`"1989-12-31T23:59:59Z"`:            bad,
		`"2015-02-29T10:05:00Z"`:            bad,
		`"2015-05-17T10:05:03.Z"`:           bad,
		`"2015-05-17T10:05:03+24:00"`:       bad,
		`"2016-12-31T23:59:59.1234567891Z"`: 1483228799123,
	} {
		got, err := timestamp([]byte(text))
		if err != nil {
			got = bad
		}
		if got != want {
			t.Errorf("ts %s is %d, %v, want %d", text, got, err, want)
		}
	}
}
