package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestTurns: queries above the bound get 429 with Retry-After.
func TestTurns(t *testing.T) {
	s := New(Config{Queries: 1, QueryWait: time.Nanosecond})
	ask := func() *httptest.ResponseRecorder {
		res := httptest.NewRecorder()
		s.answer(func(context.Context, *http.Request) (any, error) { return "done", nil })(res, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		return res
	}
	<-s.queries.free
	if res := ask(); res.Code != http.StatusTooManyRequests || res.Header().Get("Retry-After") == "" {
		t.Errorf("above the bound: %d %v", res.Code, res.Header())
	}
	s.queries.give()
	for range 2 {
		if res := ask(); res.Code != http.StatusOK {
			t.Errorf("within the bound: %d %s", res.Code, res.Body)
		}
	}
}
