package accesslog

import (
	"bytes"
	"strings"

	"speedlayer/event"
)

// Reason says why a line is no pageview.
type Reason string

// The reasons, in the order in which they are looked for: a line counts under
// the first that holds.
const (
	NotALine      Reason = "not a log line"
	NotGET        Reason = "method is not GET"
	BadStatus     Reason = "status is not 200-299 or 304"
	RefusedTarget Reason = "target or url refused"
	OtherFile     Reason = "last segment of the path has another extension"
)

// Pageview makes a pageview of a line; its nonce is the caller's. host is that
// of targets that are paths. The reason is empty if the line is one.
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
			return RefusedTarget, errTarget
		}
		url = append([]byte("http://"+host), url...)
	}
	page, err := event.IsPage(url)
	if err != nil {
		return RefusedTarget, err
	}
	if !page {
		return OtherFile, nil
	}
	person := l.User
	if person == nil {
		person = l.Addr
	}
	*pv = event.Pageview{Person: person, URL: url, TS: l.Time, Referrer: l.Referrer, UserAgent: l.UserAgent}
	if err := pv.Check(); err != nil {
		return RefusedTarget, err
	}
	return "", nil
}

type targetError struct{}

func (targetError) Error() string {
	return "target is neither a path nor an absolute url: " + strings.Join([]string{"/about", "http://foo.com/about"}, " and ") + " are"
}

var errTarget = targetError{}
