package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"testing"
)

// full is a record whose fields all differ, so that two swapped fields are
// detected.
func full(n int64) CommitRecord {
	r := CommitRecord{LogTime: n, Generation: uint32(n)}
	for i, f := range r.fields() {
		*f = n + int64(i) + 1
	}
	r.Operator = "words: \xff"
	return r
}

func TestCommitRecord(t *testing.T) {
	for _, n := range []int64{0, 1, -100, math.MaxInt32, math.MaxInt64 - 100} {
		r := full(n)
		back, err := DecodeCommitRecord(r.Append([]byte("before"))[6:])
		if err != nil || back != r {
			t.Errorf("%+v comes back as %+v, %v", r, back, err)
		}
	}
	// Every field of the struct is written: a new field cannot be forgotten.
	r := full(5)
	if n := reflect.TypeFor[CommitRecord]().NumField(); n != len(r.fields())+3 {
		t.Errorf("%d fields are written, the struct has %d", len(r.fields())+3, n)
	}
}

// Numbers that are missing at the end are 0, and so is what the operator counts.
func TestCommitRecordOfOtherVersions(t *testing.T) {
	r := full(5)
	r.Operator = ""
	b := r.Append(nil)
	short, err := DecodeCommitRecord(b[:len(b)-1]) // its last field is one byte
	want := r
	want.DedupeOldest = 0
	if err != nil || short != want {
		t.Errorf("without the last field: %+v, %v", short, err)
	}
	want = r
	want.Operator = "\x9a\x01"
	if long, err := DecodeCommitRecord(binary.AppendVarint(b, 77)); err != nil || long != want {
		t.Errorf("with one more, which is the operator's: %+v, %v", long, err)
	}
	cut := binary.AppendVarint([]byte{commitRecordVersion}, 1<<40)
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"another version":   {commitRecordVersion + 1, 0, 0},
		"cut in a number":   cut[:len(cut)-1],
		"generation < 0":    binary.AppendVarint([]byte{commitRecordVersion, 0}, -1),
		"generation > 32":   binary.AppendVarint([]byte{commitRecordVersion, 0}, 1<<32),
		"a number too long": append([]byte{commitRecordVersion}, bytes.Repeat([]byte{0xff}, 11)...),
	} {
		if r, err := DecodeCommitRecord(b); !errors.Is(err, ErrCorrupt) || r != (CommitRecord{}) {
			t.Errorf("%s: %+v, %v; want ErrCorrupt and nothing else", name, r, err)
		}
	}
}

func FuzzDecodeCommitRecord(f *testing.F) {
	r := full(1000)
	f.Add(r.Append(nil))
	f.Add([]byte{commitRecordVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeCommitRecord(b)
		if err != nil {
			return
		}
		if back, err := DecodeCommitRecord(r.Append(nil)); err != nil || back != r {
			t.Fatalf("%+v comes back as %+v, %v", r, back, err)
		}
	})
}

// Keys sort as their parts do, the most significant part first.
func TestCompare(t *testing.T) {
	keys := []Key{{}, {Hour: 1}, {URL: "a"}, {URL: "a", Hour: 2}, {URL: "a\x01"}, {URL: "b"}, {View: 1}, {Generation: 1}, {Generation: 1 << 31, View: 255, URL: "z"}}
	for i, a := range keys {
		for j, b := range keys {
			if got := a.Compare(b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%v against %v is %d", a, b, got)
			}
		}
	}
	shards := []Shard{{}, {Partition: 1}, {Epoch: 1}, {Epoch: 1, Partition: 7}, {Epoch: math.MaxUint32}}
	for i, a := range shards {
		for j, b := range shards {
			if got := a.Compare(b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%v against %v is %d", a, b, got)
			}
		}
	}
}
