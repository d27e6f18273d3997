package client

import (
	"testing"
	"time"
)

// Requests grow while they are quick and full, shrink when they are slow, and
// stay within bounds.
func TestBatchSize(t *testing.T) {
	var b batchSize
	for range 100 {
		b.observe(b.limit(), time.Millisecond)
	}
	if b.limit() != MaxRequestRows {
		t.Errorf("quick: %d rows, want %d", b.limit(), MaxRequestRows)
	}
	b.observe(b.limit()/2, time.Millisecond)
	b.observe(b.limit(), 500*time.Millisecond)
	if b.limit() != MaxRequestRows {
		t.Errorf("neither quick nor slow: %d rows", b.limit())
	}
	b.observe(400, 3*time.Second)
	if b.limit() != 200 {
		t.Errorf("400 were slow: %d rows, want 200", b.limit())
	}
	b.observe(10, time.Millisecond) // says nothing about 200
	if b.limit() != 200 {
		t.Errorf("10 were quick: %d rows, want 200", b.limit())
	}
	for range 20 {
		b.observe(b.limit(), 3*time.Second)
	}
	if b.limit() != minRows {
		t.Errorf("slow for long: %d rows, want %d", b.limit(), minRows)
	}
}
