package generate

import (
	"strconv"
	"time"
)

// Kind defines what an Event is.
type Kind uint8

// The kinds of events.
const (
	Pageview Kind = iota
	Edge          // an equiv edge: Person and Other are the same person
)

// Event is one element of the stream. Its slices are valid until the next Next.
type Event struct {
	Kind    Kind
	Arrival int64 // ms since 1970 when it is sent; never goes back
	TS      int64 // ms since 1970 when it was

	Nonce, Person, URL  []byte
	Referrer, UserAgent []byte // Referrer may be empty
	TextTS              bool   // JSON has TS as RFC 3339
	Duplicate           bool   // nonce and person came before
	Late, Bot           bool

	Other   []byte // of an edge
	Retract bool   // the edge is taken back

	nonce, person, url, referrer, agent, other []byte // buffers
	address                                    []byte // of a person who is a user name
}

// spelling is a page as one of its urls.
type spelling struct {
	page int32
	form uint8
}

const (
	formPlain = iota
	formWWW
	formHTTP
	formSlash
	formQuery
	formFragment
)

// spell picks one of the urls of a page.
func (g *Generator) spell(page int32) spelling {
	bits := g.r.next()
	if bits&3 != 0 {
		return spelling{page, formPlain}
	}
	form := formWWW + uint8(bits>>8%5)
	if form == formSlash && !g.sites.pages[page].plain {
		form = formWWW
	}
	return spelling{page, form}
}

func (g *Generator) appendURL(b []byte, s spelling) []byte {
	if s.form == formHTTP {
		b = append(b, "http://"...)
	} else {
		b = append(b, "https://"...)
	}
	if s.form == formWWW {
		b = append(b, "www."...)
	}
	b = append(b, g.sites.pages[s.page].url...)
	switch s.form {
	case formSlash:
		b = append(b, '/')
	case formQuery:
		b = append(b, "?p=1"...)
	case formFragment:
		b = append(b, "#top"...)
	}
	return b
}

// fill renders a pageview into e.
func (g *Generator) fill(e *Event, s *sent, arrival int64) {
	e.Kind, e.Arrival, e.TS, e.Bot, e.Retract, e.Other = Pageview, arrival, s.ts, s.bot, false, nil
	e.person = appendPerson(e.person[:0], s.person)
	e.address = e.address[:0]
	if isUser(s.person) {
		e.address = appendPerson(e.address, s.person-3)
	}
	e.url = g.appendURL(e.url[:0], s.spelled)
	e.referrer = e.referrer[:0]
	if s.from == sameSite {
		e.referrer = append(e.referrer, "https://"...)
		e.referrer = appendDomain(e.referrer, int(s.domain))
		e.referrer = append(e.referrer, '/')
	} else {
		e.referrer = append(e.referrer, s.from...)
	}
	e.agent = append(e.agent[:0], s.agent...)
	e.TextTS = len(e.referrer) == 0 && s.number%4 == 0
	e.nonce = g.appendNonce(e.nonce[:0], s.number, e)
	e.Nonce, e.Person, e.URL, e.Referrer, e.UserAgent = e.nonce, e.person, e.url, e.referrer, e.agent
}

// sameSite is the referrer of a view that another view led to.
const sameSite = "/"

// least is the length in bytes that a pageview's JSON has at least, even with
// the shortest url.
const (
	least    = 200
	shortest = len("http://bluebear.com/")
)

const hexDigits = "0123456789abcdef"

// appendNonce writes 16 digits that no other number gives, and more where the
// pageview would be shorter than pageviews are. How many must not depend on what
// a duplicate may have otherwise: url and time.
func (g *Generator) appendNonce(b []byte, number uint64, e *Event) []byte {
	bits := mix(number ^ g.key)
	digits := 16
	if n := e.bytesWithoutNonce() + digits; n < least {
		digits += least - n + int(bits&7)
	}
	for i := range digits {
		if i == 16 || i == 32 {
			bits = mix(bits)
		}
		b = append(b, hexDigits[bits>>(4*(i&15))&15])
	}
	return b
}

// bytesWithoutNonce is the length of AppendJSON's text without the nonce's, with
// the shortest url.
func (e *Event) bytesWithoutNonce() int {
	n := len(`{"nonce":"","person":"","url":"","ts":1767600000000,"user_agent":""}`)
	if len(e.referrer) > 0 {
		n += len(`"referrer":"",`)
	}
	if e.TextTS {
		n += len(timeText) - len("1767600000000")
	}
	return n + len(e.person) + shortest + len(e.referrer) + len(e.agent)
}

const timeText = `"2006-01-02T15:04:05.000Z"`

// AppendJSON appends the record's value: of topic pageviews or, for an edge, of
// topic equivs. Nothing in it needs an escape.
func (e *Event) AppendJSON(b []byte) []byte {
	if e.Kind == Edge {
		b = append(append(b, `{"id1":"`...), e.Person...)
		b = append(append(b, `","id2":"`...), e.Other...)
		b = strconv.AppendInt(append(b, `","ts":`...), e.TS, 10)
		b = strconv.AppendBool(append(b, `,"retract":`...), e.Retract)
		return append(b, '}')
	}
	b = append(append(b, `{"nonce":"`...), e.Nonce...)
	b = append(append(b, `","person":"`...), e.Person...)
	b = append(append(b, `","url":"`...), e.URL...)
	b = append(b, `","ts":`...)
	if e.TextTS {
		b = time.UnixMilli(e.TS).UTC().AppendFormat(b, timeText)
	} else {
		b = strconv.AppendInt(b, e.TS, 10)
	}
	if len(e.Referrer) > 0 {
		b = append(append(b, `,"referrer":"`...), e.Referrer...)
		b = append(b, '"')
	}
	b = append(append(b, `,"user_agent":"`...), e.UserAgent...)
	return append(b, `"}`...)
}

// AppendCombined appends a pageview as a line in Apache's combined log format,
// without a newline; the target is absolute, since a log has many domains. An
// edge has no line and appends nothing.
func (e *Event) AppendCombined(b []byte) []byte {
	if e.Kind == Edge {
		return b
	}
	if len(e.address) > 0 {
		b = append(append(b, e.address...), " - "...)
		b = append(b, e.Person...)
	} else {
		b = append(append(b, e.Person...), " - -"...)
	}
	b = time.UnixMilli(e.TS).UTC().AppendFormat(b, " [02/Jan/2006:15:04:05 +0000] ")
	url := e.URL
	for i, c := range url { // a fragment stays in the browser
		if c == '#' {
			url = url[:i]
			break
		}
	}
	b = append(append(b, `"GET `...), url...)
	b = append(b, ` HTTP/1.1" 200 `...)
	b = strconv.AppendInt(b, 1000+e.TS%50_000, 10)
	if len(e.Referrer) > 0 {
		b = append(append(b, ` "`...), e.Referrer...)
		b = append(b, `" "`...)
	} else {
		b = append(b, ` "-" "`...)
	}
	b = append(b, e.UserAgent...)
	return append(b, '"')
}
