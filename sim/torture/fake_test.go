package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// fake is a system of a hundred lines, with faults to be switched on.
type fake struct {
	forgets bool // the last acknowledged pageview, when it is killed
	doubles bool // what is sent again, each 20th time
	renames bool // a page that ends in 7
	slips   bool // takes a person for another one, each 50th time
	differs int64
	rejects bool
	crashes bool // by itself

	mu    sync.Mutex
	seen  map[string]bool
	views []View
	n     int // of duplicates
}

type fakeInstance struct {
	f      *fake
	server *httptest.Server
	done   chan struct{}
	once   sync.Once
}

func (f *fake) Launch() (Instance, error) {
	i := &fakeInstance{f: f, done: make(chan struct{})}
	i.server = httptest.NewServer(i)
	if f.crashes {
		i.end()
	}
	return i, nil
}

func (i *fakeInstance) URL(context.Context) (string, error) { return i.server.URL, nil }
func (i *fakeInstance) Done() <-chan struct{}               { return i.done }
func (i *fakeInstance) Ended() error                        { return errors.New("it crashed") }
func (i *fakeInstance) Stop(context.Context) error          { i.end(); return nil }

func (i *fakeInstance) end() {
	i.once.Do(func() {
		i.server.CloseClientConnections()
		i.server.Close()
		close(i.done)
	})
}

func (i *fakeInstance) Kill() error {
	i.end()
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	if i.f.forgets && len(i.f.views) > 0 {
		i.f.views = i.f.views[:len(i.f.views)-1]
	}
	return nil
}

func (i *fakeInstance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "status"):
		_, _ = io.WriteString(w, `{"partitions":[{"epoch":0,"partition":0,"offset":5,"lag":0}]}`)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, `{"pageviews":1}`)
	case i.f.rejects:
		w.WriteHeader(http.StatusBadRequest)
	default:
		i.post(w, r)
	}
}

func (i *fakeInstance) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var events []event
	if body[0] == '[' {
		_ = json.Unmarshal(body, &events)
	} else {
		for dec := json.NewDecoder(bytes.NewReader(body)); ; {
			var e event
			if dec.Decode(&e) != nil {
				break
			}
			events = append(events, e)
		}
	}
	i.f.add(events)
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]int{"accepted": len(events)})
}

func (f *fake) add(events []event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		if f.seen[e.Nonce] {
			if f.n++; !f.doubles || f.n%20 != 0 {
				continue
			}
		}
		if f.seen == nil {
			f.seen = map[string]bool{}
		}
		f.seen[e.Nonce] = true
		domain, path, _ := strings.Cut(strings.TrimPrefix(e.URL, "https://"), "/")
		v := View{Nonce: e.Nonce, Person: e.Person, Domain: domain, Path: "/" + path, TS: e.TS}
		if f.slips && len(f.views)%50 == 0 {
			v.Person += "x"
		}
		if f.renames {
			v.Path = strings.TrimSuffix(v.Path, "7")
		}
		f.views = append(f.views, v)
	}
}

func (f *fake) Export(_ context.Context, fn func(Line) error) error {
	l := NewLedger()
	l.Acknowledged(f.views)
	for _, line := range linesOf(l) {
		if err := fn(line); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Verify(context.Context) (int64, string, error) { return f.differs, "said so\n", nil }

// linesOf is the export of a system that counts right.
func linesOf(l *Ledger) (lines []Line) {
	for k, c := range l.mu.cells {
		lines = append(lines, Line{View: "pageviews", URL: k.url, Hour: k.hour, Pageviews: c.pageviews},
			Line{View: "uniques", URL: k.url, Hour: k.hour, Visitors: int64(len(c.persons)), Exact: true},
			Line{View: "bounces", URL: k.url, Hour: k.hour})
	}
	return lines
}

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixMilli()
