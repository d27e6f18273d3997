package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"speedlayer/event"
	"speedlayer/query"
)

// parsePair parses the body of a change of edges: an object with id1 and id2 and
// nothing else. Strings follow the rules of package event for persons: invalid UTF-8
// and lone surrogates are rejected, never replaced.
func parsePair(body []byte) (id1, id2 string, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return "", "", query.BadRequest("body", "is not one JSON object", allowedPair)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", "", query.BadRequest("body", "is not one JSON object", allowedPair)
		}
		if name != "id1" && name != "id2" {
			return "", "", query.BadRequest("body", fmt.Sprintf("%q is not a field", query.Shown(fmt.Sprint(name))), allowedPair)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return "", "", query.BadRequest("body", "is not one JSON object", allowedPair)
		}
		if raw[0] != '"' {
			return "", "", query.BadRequest(name.(string), "is not a string", query.AllowedID)
		}
	}
	if _, err := dec.Token(); err != nil {
		return "", "", query.BadRequest("body", "is not one JSON object", allowedPair)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", "", query.BadRequest("body", "has something after the object", allowedPair)
	}
	edge, err := event.DecodeEdge(body)
	if err != nil {
		return "", "", query.Rejected("body", "", err)
	}
	return edge.ID1, edge.ID2, nil
}
