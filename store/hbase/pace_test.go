package hbase

import (
	"testing"
	"time"
)

// Requests grow while they are quick and full, shrink when they are slow, and
// stay within bounds.
func TestPace(t *testing.T) {
	var p pace
	for range 100 {
		p.took(p.rows(), time.Millisecond)
	}
	if p.rows() != requestRows {
		t.Errorf("quick: %d rows, want %d", p.rows(), requestRows)
	}
	p.took(p.rows()/2, time.Millisecond)
	p.took(p.rows(), 500*time.Millisecond)
	if p.rows() != requestRows {
		t.Errorf("neither quick nor slow: %d rows", p.rows())
	}
	p.took(400, 3*time.Second)
	if p.rows() != 200 {
		t.Errorf("400 were slow: %d rows, want 200", p.rows())
	}
	p.took(10, time.Millisecond) // says nothing about 200
	if p.rows() != 200 {
		t.Errorf("10 were quick: %d rows, want 200", p.rows())
	}
	for range 20 {
		p.took(p.rows(), 3*time.Second)
	}
	if p.rows() != paceLeast {
		t.Errorf("slow for long: %d rows, want %d", p.rows(), paceLeast)
	}
}
