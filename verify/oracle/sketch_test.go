package oracle

import (
	"fmt"
	"math"
	"testing"

	"github.com/apache/datasketches-go/hll"
)

// TestSketch compares registers and estimate with those of one sketch of the
// library that has had all persons.
func TestSketch(t *testing.T) {
	const persons = 20_000
	s, err := hll.NewHllSketch(lgK, hll.TgtHllTypeHll8)
	if err != nil {
		t.Fatal(err)
	}
	var v visitors
	changes := 0
	for i := range persons {
		h := personHash(fmt.Sprint("person ", i))
		if err := s.UpdateInt64(int64(h)); err != nil {
			t.Fatal(err)
		}
		if i == 2048 && (v.registers != nil || len(v.hashes) != 2048) {
			t.Errorf("with 2,048 persons the cell is not exact: %d hashes", len(v.hashes))
		}
		if v.grows(h) {
			changes++
			v.add(h, 2048)
		}
		if v.grows(h) {
			t.Fatalf("adding person %d twice changes the cell", i)
		}
	}
	if v.registers == nil || v.hashes != nil {
		t.Fatal("no sketch")
	}
	if changes == persons {
		t.Error("every person raised a register")
	}
	b, err := s.ToCompactSlice()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.registers, b[sketchHeader:]; string(got) != string(want) {
		t.Error("registers differ from the library's")
	}
	want, err := s.GetCompositeEstimate()
	if err != nil {
		t.Fatal(err)
	}
	if got := estimate(v.registers); math.Abs(got-want) > want*1e-9 || math.Abs(got-persons) > persons*0.03 {
		t.Errorf("estimate %v, the library says %v of %d", got, want, persons)
	}
}

// Known values of XXH64 with seed 42: those that Spark SQL's xxhash64 gives for
// strings.
func TestPersonHash(t *testing.T) {
	for text, want := range map[string]int64{"": -7444071767201028348, "Spark": -4294468057691064905} {
		if got := int64(personHash(text)); got != want {
			t.Errorf("hash of %q is %d, want %d", text, got, want)
		}
	}
}

// Known values of org.apache.kafka.common.utils.Utils.murmur2.
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("murmur2 of %q is %d, want %d", text, got, want)
		}
	}
}
