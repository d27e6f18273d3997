package query

import (
	"bufio"
	"net/http"
)

// getExport streams cells. The status goes out with the first bytes; what fails
// later breaks the connection, so that a part is never taken for all of it.
func (e *Engine) getExport(w http.ResponseWriter, r *http.Request) {
	p, err := parseParams(r.URL.RawQuery, "view", "from", "to", "format")
	if err != nil {
		writeError(w, err)
		return
	}
	if err := e.exports.take(r.Context()); err != nil {
		writeError(w, err)
		return
	}
	defer e.exports.give()
	started := &startedWriter{w: w}
	out := bufio.NewWriterSize(started, 64<<10)
	write, finish, err := NewCellWriter(out, p["format"])
	if err != nil {
		writeError(w, err)
		return
	}
	kind := "application/x-ndjson"
	if p["format"] == "csv" {
		kind = "text/csv; charset=utf-8; header=present"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	err = e.Export(r.Context(), ExportQuery{View: p["view"], From: p["from"], To: p["to"]}, write)
	if err == nil {
		err = finish()
	}
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
	case started.yes:
		panic(http.ErrAbortHandler) // the server's way to break a response off
	default:
		writeError(w, err)
	}
}

// startedWriter knows whether anything went out.
type startedWriter struct {
	w   http.ResponseWriter
	yes bool
}

func (s *startedWriter) Write(b []byte) (int, error) {
	s.yes = true
	return s.w.Write(b)
}
