package collector

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"speedlayer/event"
)

func rejection(code, format string, args ...any) *event.Rejection {
	return &event.Rejection{Code: code, Text: fmt.Sprintf(format, args...)}
}

// decode reads one object into b.pv. An event without ts has the collector's
// clock: it is put in, as the last field, which counts.
func (b *batch) decode(value []byte) error {
	err := b.decoder.Decode(value, &b.pv)
	var r *event.Rejection
	if err == nil || !errors.As(err, &r) || r.Field != "ts" || r.Code != event.CodeMissing {
		return err
	}
	// It was read as an object up to its last brace, and has other fields.
	end := bytes.LastIndexByte(value, '}')
	with := append(b.object[:0], value[:end]...)
	with = append(with, `,"ts":`...)
	with = strconv.AppendInt(with, b.now, 10)
	b.object = append(with, '}')
	return b.decoder.Decode(b.object, &b.pv)
}

// errDocument is a body that as a whole is not what it should be.
type errDocument struct{ detail, allowed string }

func (e *errDocument) Error() string { return e.detail }

var errTooMany = errors.New("too many events")

// takeJSON takes a body that is one JSON object or an array of them. It returns
// the number of events. A body that is not JSON is refused as a whole: nothing
// was appended yet.
func (b *batch) takeJSON() (int, error) {
	body := trimSpace(b.body)
	switch {
	case len(body) == 0:
		return 0, &errDocument{"the body is empty", "a JSON object, an array of them, or JSON lines"}
	case body[0] == '[':
		return b.takeArray(body)
	case body[0] != '{':
		return 0, &errDocument{"the body is neither a JSON object nor an array", "a JSON object, an array of them, or JSON lines"}
	}
	if err := b.take(body); err != nil {
		b.reject(0, err)
	}
	return 1, nil
}

// takeArray splits an array without reading its elements; each is read by the
// decoder then. If all of them are JSON, so is the array.
func (b *batch) takeArray(body []byte) (n int, err error) {
	i := skipSpace(body, 1)
	if i < len(body) && body[i] == ']' {
		return 0, noMore(body, i+1)
	}
	for {
		end := valueEnd(body, i)
		if end == i {
			return n, notJSON(i)
		}
		if n == b.c.limits.BatchEvents {
			return n, errTooMany
		}
		if err := b.takeElement(n, body[i:end]); err != nil {
			return n, err
		}
		n++
		i = skipSpace(body, end)
		switch {
		case i < len(body) && body[i] == ',':
			i = skipSpace(body, i+1)
		case i < len(body) && body[i] == ']':
			return n, noMore(body, i+1)
		default:
			return n, notJSON(i)
		}
	}
}

// takeElement takes one element of an array; an error is that of the array.
func (b *batch) takeElement(index int, value []byte) error {
	err := b.take(value)
	if err == nil {
		return nil
	}
	if !validJSON(value) {
		return &errDocument{fmt.Sprintf("element %d of the array is not JSON", index),
			"a JSON array; in JSON lines (application/x-ndjson) a broken line rejects that line only"}
	}
	b.reject(index, err)
	return nil
}

func notJSON(at int) error {
	return &errDocument{fmt.Sprintf("the array is not a JSON from byte %d on", at), "a JSON array of objects"}
}

func noMore(body []byte, i int) error {
	if skipSpace(body, i) < len(body) {
		return notJSON(i)
	}
	return nil
}

// takeLines takes JSON lines. Empty lines are no events. A broken line is
// rejected, and the others are taken.
func (b *batch) takeLines() (n int, err error) {
	for rest := b.body; len(rest) > 0; {
		line := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		if line = trimSpace(line); len(line) == 0 {
			continue
		}
		if n == b.c.limits.BatchEvents {
			return n, errTooMany
		}
		if err := b.take(line); err != nil {
			b.reject(n, err)
		}
		n++
	}
	if n == 0 {
		return 0, &errDocument{"the body has no lines", "JSON lines: one object a line"}
	}
	return n, nil
}
