package accesslog

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"speedlayer/event"
)

// Reason reports why a line is not a pageview.
type Reason string

// The reasons, in the order in which they are looked for: a line counts under
// the first that holds.
const (
	NotALine       Reason = "not a log line"
	NotGET         Reason = "method is not GET"
	BadStatus      Reason = "status is not 200-299 or 304"
	RejectedTarget Reason = "target or url refused"
	OtherFile      Reason = "last segment of the path has another extension"
)

// Pageview makes a pageview of a line; its nonce is the caller's. host is that
// of targets that are paths, on lines that name none. The reason is empty if the
// line is one.
func (l *Line) Pageview(host string, pv *event.Pageview) (Reason, error) {
	*pv = event.Pageview{}
	if string(l.Method) != "GET" {
		return NotGET, nil
	}
	if (l.Status < 200 || l.Status > 299) && l.Status != 304 {
		return BadStatus, nil
	}
	url := l.Target
	if !bytes.Contains(url, []byte("://")) || url[0] == '/' {
		if len(url) == 0 || url[0] != '/' {
			return RejectedTarget, errTarget
		}
		at := append([]byte("http://"), l.Host...)
		if len(l.Host) == 0 {
			if host == "" {
				return RejectedTarget, ErrNoHost
			}
			at = append(at, host...)
		}
		url = append(at, url...)
	}
	page, err := event.IsPage(url)
	if err != nil {
		return RejectedTarget, err
	}
	if !page {
		return OtherFile, nil
	}
	person := l.User
	if person == nil {
		person = l.Addr
	}
	*pv = event.Pageview{Person: person, URL: url, TS: l.Time, Referrer: text(l.Referrer), UserAgent: text(l.UserAgent)}
	if err := pv.Check(); err != nil {
		return RejectedTarget, err
	}
	if !utf8.Valid(person) {
		return RejectedTarget, errUser
	}
	return "", nil
}

// text makes UTF-8 of what a client sent as a header: any bytes. It decides
// nothing, so a bad byte is no reason to lose the pageview.
func text(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\uFFFD")) }

type targetError struct{}

func (targetError) Error() string {
	return "target is neither a path nor an absolute url: " + strings.Join([]string{"/about", "http://foo.com/about"}, " and ") + " are"
}

// ErrNoHost: neither the line nor the caller names the site.
var ErrNoHost = errors.New("the line names no host, and no other is given")

var errTarget = targetError{}

type userError struct{}

func (userError) Error() string { return "the user is not UTF-8" }

var errUser = userError{}
