package api

import (
	"bufio"
	"net/http"

	"speedlayer/query"
)

// getExport streams cells. The status is sent with the first bytes. A later failure
// breaks the connection, so that a part is never taken for the whole.
func (s *Server) getExport(w http.ResponseWriter, r *http.Request) {
	p, err := parseParams(r.URL.RawQuery, "view", "from", "to", "format")
	if err != nil {
		writeError(w, err)
		return
	}
	if err := s.exports.take(r.Context()); err != nil {
		writeError(w, err)
		return
	}
	defer s.exports.give()
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
	err = s.cfg.Engine.Export(r.Context(), query.ExportQuery{View: p["view"], From: p["from"], To: p["to"]}, write)
	if err == nil {
		err = finish()
	}
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
	case started.yes:
		panic(http.ErrAbortHandler) // this is how net/http aborts a response
	default:
		writeError(w, err)
	}
}

// startedWriter records whether anything was sent.
type startedWriter struct {
	w   http.ResponseWriter
	yes bool
}

func (w *startedWriter) Write(b []byte) (int, error) {
	w.yes = true
	return w.w.Write(b)
}
