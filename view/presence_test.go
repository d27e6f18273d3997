package view

import (
	"math/rand/v2"
	"testing"
)

// A slot that the store may have is never said to be missing there, however
// many left the cache; and of those that it cannot have, nearly all are told.
func TestPresence(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 8))
	p := presence{}
	p.begin()
	type slot struct {
		hash uint64
		hour int32
	}
	var left []slot
	for hour := int32(10); hour < 14; hour++ {
		p.see(hour, true)
		before := len(left)
		for range filterMost/2 + 10 { // full in the third hour
			s := slot{r.Uint64(), hour - r.Int32N(2)}
			p.gone(s.hash, s.hour)
			left = append(left, s)
		}
		for _, s := range left {
			if !p.may(s.hash, s.hour) {
				t.Fatalf("hour %d: a slot of hour %d that left the cache is said to be missing", hour, s.hour)
			}
		}
		vain := 0
		for range 10_000 {
			if p.may(r.Uint64(), hour+1) {
				vain++
			}
		}
		if vain > 10_000/50 {
			t.Errorf("hour %d, %d slots more: %d of 10000 new slots are looked for", hour, len(left)-before, vain)
		}
	}
	if p.floor == noHour {
		t.Error("the filter was never full")
	}
	p.begin()
	if p.may(left[0].hash, left[0].hour) {
		t.Error("a new generation has cells")
	}
}
