package pebble

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"speedlayer/store"
)

// Bytes sort as keys do, so a scan over bytes follows the order of the contract.
func TestKeysSort(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 8))
	type cell struct {
		key   store.Key
		shard store.Shard
		bytes []byte
	}
	var cells []cell
	for range 300 {
		url := make([]byte, r.IntN(4))
		for i := range url {
			url[i] = "\x01/.a\xff"[r.IntN(5)]
		}
		c := cell{key: store.Key{Generation: uint32(r.IntN(3)) << (8 * r.IntN(4)), View: store.ViewID(r.IntN(3)), URL: string(url), Hour: int32(r.IntN(3)) << (8 * r.IntN(3))},
			shard: store.Shard{Epoch: uint32(r.IntN(300)), Partition: int32(r.IntN(300))}}
		c.bytes = appendCellKey(nil, &c.key, c.shard)
		cells = append(cells, c)
	}
	for _, a := range cells {
		for _, b := range cells {
			want := a.key.Compare(b.key)
			if want == 0 {
				want = a.shard.Compare(b.shard)
			}
			if got := bytes.Compare(a.bytes, b.bytes); got != want {
				t.Fatalf("%+v %v against %+v %v: bytes say %d, want %d", a.key, a.shard, b.key, b.shard, got, want)
			}
		}
	}
}

func FuzzParseCellKey(f *testing.F) {
	f.Add(appendCellKey(nil, &store.Key{Generation: 3, View: 2, URL: "foo.com/a", Hour: 400_000}, store.Shard{Epoch: 1, Partition: 7}))
	f.Add([]byte{cellPrefix})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c store.ScanCell
		if parseCellKey(b, &c) != nil {
			return
		}
		// Generation and view are not parsed, because a scan knows them.
		k := store.Key{Generation: binary.BigEndian.Uint32(b[1:]), View: store.ViewID(b[5]), URL: string(c.URL), Hour: c.Hour}
		if back := appendCellKey(nil, &k, c.Shard); !bytes.Equal(back[1:], b[1:]) {
			t.Fatalf("%x comes back as %x", b, back)
		}
	})
}

func FuzzParseValues(f *testing.F) {
	f.Add(binary.AppendUvarint(nil, 1<<40))
	f.Add(appendCommit(nil, store.Commit{Offset: 5, Record: []byte("r")}))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if version, value, err := parseCellValue(b); err == nil {
			again, rest, err := parseCellValue(append(binary.AppendUvarint(nil, uint64(version)), value...))
			if err != nil || again != version || !bytes.Equal(rest, value) {
				t.Fatalf("version %d, %x comes back as %d, %x, %v", version, value, again, rest, err)
			}
		}
		if c, err := parseCommit(b); err == nil {
			if back := appendCommit(nil, c); !bytes.Equal(back, b) {
				t.Fatalf("%x comes back as %x", b, back)
			}
		}
	})
}

// after is the bound of a scan over a prefix: the first key after all of it.
func TestAfter(t *testing.T) {
	for _, c := range [][2]string{{"a", "b"}, {"a\xff", "b"}, {"\x00", "\x01"}, {"a\x00", "a\x01"}} {
		if got := after([]byte(c[0])); string(got) != c[1] {
			t.Errorf("after %q comes %q, want %q", c[0], got, c[1])
		}
	}
	if got := after([]byte("\xff\xff")); got != nil {
		t.Errorf("after the last comes %q, want no bound", got)
	}
	prefix := []byte("foo")
	if after(prefix); !slices.Equal(prefix, []byte("foo")) {
		t.Error("the prefix was changed")
	}
}
