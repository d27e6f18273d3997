package query

import (
	"errors"
	"net/http"
	"strings"

	"speedlayer/event"
)

// Error is a request that was not answered. HTTP reports it as problem+json and a
// command line in one line. A bad request has the status 400, the name of what was
// wrong, and what is allowed instead.
type Error struct {
	Status  int    // HTTP status
	Field   string // parameter; empty if no parameter is wrong
	Detail  string // what is wrong
	Allowed string // what would be allowed; empty if nothing is
}

func (e *Error) Error() string {
	text := e.Detail
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Allowed != "" {
		text += ": allowed is " + e.Allowed
	}
	return text
}

// IsBadRequest reports whether a call was wrong, as opposed to having failed.
func IsBadRequest(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests
}

// BadRequest is the error of a request whose field is wrong, with what is allowed
// instead.
func BadRequest(field, detail, allowed string) *Error {
	return &Error{Status: http.StatusBadRequest, Field: field, Detail: detail, Allowed: allowed}
}

// AllowedID describes the identifiers of persons.
const AllowedID = "a string of 1 to 256 bytes of UTF-8, as pageviews have for their person"

// Rejected makes a bad request of an error of package event. If allowed is empty, what
// is allowed is taken from the error. Other errors are returned as they are.
func Rejected(field, allowed string, err error) error {
	var r *event.Rejection
	if !errors.As(err, &r) {
		return err
	}
	if r.Field == "id1" || r.Field == "id2" {
		field = r.Field
	}
	detail := r.Text
	for _, mark := range []string{": allowed is ", ": allowed are "} {
		if what, rest, ok := strings.Cut(r.Text, mark); ok {
			detail = what
			if allowed == "" {
				allowed = rest
			}
		}
	}
	if allowed == "" && (field == "id1" || field == "id2") {
		allowed = AllowedID
	}
	return BadRequest(field, detail, allowed)
}

// Shown makes text of arbitrary bytes printable in an error, and shortens it.
func Shown(text string) string {
	if text == "" {
		return `""`
	}
	return strings.ToValidUTF8(cut(text), "\uFFFD")
}
