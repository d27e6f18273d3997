package load

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every request arrives once, whole, and every answer is counted.
func TestRun(t *testing.T) {
	var mu sync.Mutex
	nonces := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct{ Nonce, Person, URL string }
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &event)
		}
		mu.Lock()
		defer mu.Unlock()
		nonces[event.Nonce]++
		switch {
		case err != nil || event.Person == "" || event.URL == "":
			w.WriteHeader(http.StatusBadRequest)
		case len(nonces)%3 == 0:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte("ok"))
		}
	}))
	defer s.Close()
	answered := map[int64]bool{}
	r, err := Run(t.Context(), Config{
		Addr: s.Listener.Addr().String(), Connections: 7, Requests: 1000,
		Request: Pageviews("localhost", "run", 1),
		Answered: func(_ int, n int64, status int, body []byte) {
			mu.Lock()
			defer mu.Unlock()
			if answered[n] = true; status == 202 && string(body) != "ok" {
				t.Errorf("answer %d has the body %q", n, body)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Answers() != 1000 || len(nonces) != 1000 || len(answered) != 1000 || r.Status[429] != 333 || r.Status[202] != 667 {
		t.Errorf("answers %v, %d nonces, %d answered", r.Status, len(nonces), len(answered))
	}
	if r.Latency.Quantile(0.5) <= 0 || r.Latency.Quantile(0.5) > r.Latency.Quantile(1) || r.Rate(202) <= 0 {
		t.Errorf("median %v, max %v, rate %f", r.Latency.Quantile(0.5), r.Latency.Quantile(1), r.Rate(202))
	}
}

func TestDuration(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	r, err := Run(t.Context(), Config{Addr: s.Listener.Addr().String(), Connections: 2, Duration: 50 * time.Millisecond, Request: Pageviews("a", "r", 1)})
	if err != nil || r.Status[404] == 0 || r.Answers() != r.Status[404] {
		t.Errorf("%v, %v", r.Status, err)
	}
}

// A server that hangs up is an error, not an answer.
func TestBroken(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	r, err := Run(t.Context(), Config{Addr: s.Listener.Addr().String(), Connections: 1, Requests: 1, Request: Pageviews("a", "r", 1)})
	if err == nil || r.Answers() != 0 {
		t.Errorf("%v, %v", r.Status, err)
	}
}

func TestParseHead(t *testing.T) {
	for head, want := range map[string][2]int{
		"HTTP/1.1 202 Accepted\r\nContent-Length: 29\r\n":         {202, 29},
		"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length:0\r\nC: d\r\n": {200, 0},
		"HTTP/1.1 204 No Content\r\nA: b\r\n":                     {204, 0},
		"HTTP/1.1 200 OK\r\nX: content-length: 5\r\n":             {0, 0},
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n":                {0, 0},
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n":                {0, 0},
		"HTTP/1.1 200 OK\r\n":                                     {0, 0},
	} {
		status, length, err := parseHead([]byte(head))
		if (err != nil) != (want[0] == 0) || err == nil && [2]int{status, length} != want {
			t.Errorf("%q: %d, %d, %v", head, status, length, err)
		}
	}
}

// Quantiles are never too low, and within 1/16 of the exact ones.
func TestHistogram(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var a, b Histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(r.Uint64() >> (1 + r.IntN(63)))
		all = append(all, d)
		if i%2 == 0 {
			a.Observe(d)
		} else {
			b.Observe(d)
		}
	}
	a.Add(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.1, 0.5, 0.9, 0.99, 0.9999} {
		exact := all[int(q*float64(len(all)))]
		if got := a.Quantile(q); got < exact || float64(got) > float64(exact)*(1+1.0/16)+1 {
			t.Errorf("seed %d: quantile %v is %d, exactly %d", seed, q, got, exact)
		}
	}
	if a.Quantile(1) != all[len(all)-1] {
		t.Errorf("quantile 1 is %v, want the largest, %v", a.Quantile(1), all[len(all)-1])
	}
	if q := new(Histogram).Quantile(0.5); q != 0 {
		t.Errorf("quantile of nothing is %v", q)
	}
}

func TestPageviewsLength(t *testing.T) {
	request := Pageviews("h", "run", 1_700_000_000_000)
	for _, n := range []int64{0, 9, 99_999, 123_456_789_012} {
		head, body, _ := strings.Cut(string(request(0, n, nil)), "\r\n\r\n")
		if !json.Valid([]byte(body)) || len(body) < 200 || len(body) > 300 || !strings.HasSuffix(head, "Content-Length: "+string(rune('0'+len(body)/100))+string(rune('0'+len(body)/10%10))+string(rune('0'+len(body)%10))) {
			t.Errorf("%s\n%s (%d bytes)", head, body, len(body))
		}
	}
}
