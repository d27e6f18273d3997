package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"speedlayer/collector/imports"
	"speedlayer/event"
	"speedlayer/internal/problem"
	"speedlayer/queue"
)

// importID reads the id in the path: 32 hex digits.
func importID(r *http.Request) (string, *problem.Details) {
	id := r.PathValue("id")
	if !isHash(id) {
		return "", &problem.Details{Status: http.StatusBadRequest, Field: "id", Detail: "bad value " + strconv.Quote(id), Allowed: "32 lower-case hex digits"}
	}
	return id, nil
}

func isHash(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// serveImport is GET /api/v1/imports/{id}: what is remembered of a file.
func (c *Collector) serveImport(w http.ResponseWriter, r *http.Request) {
	id, p := importID(r)
	if p == nil && r.URL.RawQuery != "" {
		p = &problem.Details{Status: http.StatusBadRequest, Field: "query", Detail: "there are no parameters", Allowed: "a call without"}
	}
	if p != nil {
		c.problem(w, callImport, p)
		return
	}
	known, err := c.cfg.Imports.Known(r.Context(), id)
	if err != nil {
		c.problem(w, callImport, c.importProblem(err))
		return
	}
	c.answerJSON(w, callImport, http.StatusOK, known)
}

// parseMark reads LINES:HASH; 0 stands for the start of the file.
func parseMark(field, text string) (m imports.Mark, _ *problem.Details) {
	lines, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(lines, 10, 64)
	if err != nil || n < 0 || n == 0 != (hash == "") || n > 0 && !isHash(hash) {
		return m, &problem.Details{Status: http.StatusBadRequest, Field: field, Detail: "bad value " + strconv.Quote(text),
			Allowed: "LINES:HASH, a number and 32 hex digits; 0 for the start"}
	}
	return imports.Mark{Lines: n, Hash: hash}, nil
}

// importQuery reads the parameters of a batch.
func importQuery(query string) (from, to imports.Mark, wait bool, p *problem.Details) {
	const allowed = "from=LINES:HASH, to=LINES:HASH, wait=applied"
	values, err := url.ParseQuery(query)
	if err != nil {
		return from, to, false, &problem.Details{Status: http.StatusBadRequest, Field: "query", Detail: err.Error(), Allowed: allowed}
	}
	for name, v := range values {
		switch {
		case name != "from" && name != "to" && name != "wait":
			return from, to, false, &problem.Details{Status: http.StatusBadRequest, Field: name, Detail: "unknown parameter " + strconv.Quote(name), Allowed: allowed}
		case len(v) != 1 || name == "wait" && v[0] != "applied":
			return from, to, false, &problem.Details{Status: http.StatusBadRequest, Field: name, Detail: "bad value " + strconv.Quote(v[0]), Allowed: allowed}
		}
	}
	if from, p = parseMark("from", values.Get("from")); p != nil {
		return from, to, false, p
	}
	if to, p = parseMark("to", values.Get("to")); p == nil && to.Lines <= from.Lines {
		p = &problem.Details{Status: http.StatusBadRequest, Field: "to", Detail: "it is not above from", Allowed: "more lines than from"}
	}
	return from, to, values.Has("wait"), p
}

// serveImportBatch is POST /api/v1/imports/{id}: the pageviews of a part of a file, as
// JSON lines.
func (c *Collector) serveImportBatch(w http.ResponseWriter, r *http.Request) {
	id, p := importID(r)
	from, to, wait, p2 := importQuery(r.URL.RawQuery)
	lines, p3 := bodyType(r.Header)
	for _, next := range []*problem.Details{p2, p3} {
		if p == nil {
			p = next
		}
	}
	if p == nil && !lines {
		p = &problem.Details{Status: http.StatusUnsupportedMediaType, Field: "Content-Type", Detail: "it is not JSON lines", Allowed: "application/x-ndjson"}
	}
	if p != nil {
		c.problem(w, callImport, p)
		return
	}
	b, ok := c.open()
	if !ok {
		c.problem(w, callImport, closing())
		return
	}
	defer b.close()
	b.dropBots = false // the import has asked its own list
	if p := b.read(w, r); p != nil {
		c.problem(w, callImport, p)
		return
	}
	status, answer, p := b.importBatch(r.Context(), id, imports.Batch{From: from, To: to}, wait)
	if p != nil {
		c.problem(w, callImport, p)
		return
	}
	c.answerJSON(w, callImport, status, answer)
}

// importAnswer is the body for a batch that was taken.
type importAnswer struct {
	Accepted   int               `json:"accepted"`
	Duplicates int               `json:"duplicates"`
	Rejected   []Rejected        `json:"rejected"`
	Positions  []importedThrough `json:"positions"`
}

// importedThrough is the last record of a batch in a partition.
type importedThrough struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

func (b *batch) importBatch(ctx context.Context, id string, part imports.Batch, wait bool) (int, *importAnswer, *problem.Details) {
	was, p := b.takeImported()
	if p != nil {
		return 0, nil, p
	}
	for i, r := range b.records {
		part.Messages = append(part.Messages, imports.Message{Was: was[i], Message: queue.Message{
			Person: b.arena[r.begin:r.person:r.person], Value: b.arena[r.person:r.end:r.end]}})
	}
	begin := time.Now()
	taken, err := b.c.cfg.Imports.Append(ctx, id, part)
	b.c.metrics.append.Observe(time.Since(begin).Seconds())
	if err != nil {
		b.result.err = err // the queue may still hold the buffers
		return 0, nil, b.c.importProblem(err)
	}
	b.c.metrics.accepted.Add(float64(len(taken.Positions)))
	answer := &importAnswer{Accepted: len(b.records), Duplicates: taken.Duplicates, Rejected: b.rejected, Positions: []importedThrough{}}
	if answer.Rejected == nil {
		answer.Rejected = []Rejected{}
	}
	for _, at := range lastOf(taken.Positions) {
		answer.Positions = append(answer.Positions, importedThrough{at.Partition, at.Offset})
	}
	if !wait {
		return http.StatusAccepted, answer, nil
	}
	b.result.positions = append(b.result.positions[:0], taken.Positions...)
	return b.waitApplied(ctx), answer, nil
}

// lastOf is the highest position of each partition.
func lastOf(all []queue.Position) (last []queue.Position) {
	highest := map[int32]int{}
	for _, at := range all {
		i, ok := highest[at.Partition]
		if !ok {
			i = len(last)
			highest[at.Partition] = i
			last = append(last, at)
		}
		last[i].Offset = max(last[i].Offset, at.Offset)
	}
	return last
}

// takeImported takes JSON lines that each have a nonce. It returns the nonces that
// the records had in earlier versions, where the lines tell. A body may be empty:
// of lines without a pageview.
func (b *batch) takeImported() (was []string, _ *problem.Details) {
	n := 0
	for line := range bytes.Lines(b.body) {
		if line = trimSpace(line); len(line) == 0 {
			continue
		}
		if n == b.c.limits.BatchEvents {
			return nil, &problem.Details{Status: http.StatusRequestEntityTooLarge, Field: "body",
				Detail: "the body has too many events", Allowed: strconv.Itoa(b.c.limits.BatchEvents) + " events in one request"}
		}
		err := b.take(line)
		if err == nil && &b.nonce[0] == &b.pv.Nonce[0] { // it was given one
			err = &event.Rejection{Field: "nonce", Code: event.CodeMissing, Text: "is missing: each pageview of an import has one, made of its line"}
			b.records = b.records[:len(b.records)-1]
		}
		if err != nil {
			b.reject(n, err)
		} else {
			was = append(was, nonceBefore(line))
		}
		n++
	}
	return was, nil
}

// nonceBefore is the field "was" of a line; "" if it has none.
func nonceBefore(line []byte) string {
	if !bytes.Contains(line, []byte(`"was"`)) {
		return ""
	}
	var f struct{ Was string }
	if json.Unmarshal(line, &f) != nil {
		return "" // a number, say: then it has none
	}
	return f.Was
}

// importProblem is what is answered for an error of the ledger.
func (c *Collector) importProblem(err error) *problem.Details {
	switch {
	case errors.Is(err, imports.ErrUnknownStart):
		return &problem.Details{Status: http.StatusConflict, Field: "from", Detail: err.Error(), Allowed: "a mark that GET lists, or the end of the batch before"}
	case errors.Is(err, queue.ErrOverloaded):
		return &problem.Details{Status: http.StatusTooManyRequests, RetryAfter: retryAfter,
			Detail: "too much is waiting to be written to the queue; send the same body again"}
	case errors.Is(err, imports.ErrBusy):
		return &problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter, Detail: err.Error()}
	}
	c.cfg.Logger.Warn("import not appended", "err", err)
	return &problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		Detail: "the queue or the store cannot be reached; send the same body again"}
}

// serveApplied is GET /api/v1/applied: waits until records are queryable.
func (c *Collector) serveApplied(w http.ResponseWriter, r *http.Request) {
	positions, p := parsePositions(r.URL.Query()["at"])
	if p == nil && c.cfg.Wait == nil {
		p = &problem.Details{Status: http.StatusNotImplemented, Field: "path",
			Detail: "this process does not know what is applied", Allowed: "another process"}
	}
	if p != nil {
		c.problem(w, callImport, p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), c.limits.WaitApplied)
	defer cancel()
	status := http.StatusOK
	if err := c.cfg.Wait(ctx, positions); err != nil {
		status = http.StatusAccepted
	}
	c.answerJSON(w, callImport, status, map[string]bool{"applied": status == http.StatusOK})
}

// parsePositions reads PARTITION:OFFSET, each of a field of its own.
func parsePositions(texts []string) ([]queue.Position, *problem.Details) {
	var all []queue.Position
	for _, text := range texts {
		var at queue.Position
		partition, offset, _ := strings.Cut(text, ":")
		n, err1 := strconv.ParseInt(partition, 10, 32)
		m, err2 := strconv.ParseInt(offset, 10, 64)
		if at = (queue.Position{Partition: int32(n), Offset: m}); err1 != nil || err2 != nil || n < 0 || m < 0 {
			return nil, badPosition(text)
		}
		all = append(all, at)
	}
	if len(all) == 0 {
		return nil, badPosition("")
	}
	return all, nil
}

func badPosition(text string) *problem.Details {
	return &problem.Details{Status: http.StatusBadRequest, Field: "at", Detail: fmt.Sprintf("bad value %q", text),
		Allowed: "PARTITION:OFFSET, once or more, as in at=0:1200&at=1:1180"}
}

func (c *Collector) answerJSON(w http.ResponseWriter, call call, status int, answer any) {
	c.metrics.answered(call, status)
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
