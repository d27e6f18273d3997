package hbase

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"speedlayer/store"
)

// rowOf returns the row key of a cell.
func rowOf(url string, day int32) []byte { return appendDay(appendURLRow(nil, url), day) }

func TestRowsCanBeRead(t *testing.T) {
	long := strings.Repeat("p", headBytes) + "/" + strings.Repeat("q", 100)
	for _, c := range []struct {
		url  string
		hour int32
		want string
	}{
		{"foo.com/about", 397_762, "4:foo.com/about\x002015-05-18"},
		{"foo.com", 0, "2:foo.com\x001970-01-01"},
		{"foo.com", firstYear5*24 - 1, "2:foo.com\x009999-12-31"},
		{"foo.com", firstYear5 * 24, "2:foo.com\x00:010000-01-01"},
		{long, 0, "e:" + long[:headBytes] + "\x00f263e66d320ea03ce057b0995de2996f\x001970-01-01"},
	} {
		if got := rowOf(c.url, c.hour/hoursADay); string(got) != c.want {
			t.Errorf("row of %.30s, hour %d is %q, want %q", c.url, c.hour, got, c.want)
		}
	}
	if got := appendQualifier(nil, 9, store.Shard{Epoch: 2, Partition: 11}, 0); string(got) != "09/2/11" {
		t.Errorf("column is %q", got)
	}
	if got := appendQualifier(nil, 9, store.Shard{Epoch: 2, Partition: 11}, 7); string(got) != "09/2/11/07" {
		t.Errorf("column of a delta is %q", got)
	}
}

// Within a bucket, rows of urls that are not hashed sort by url, and those of one
// url by day, so a scan over bytes follows the order of the contract.
func TestRowsSort(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 8))
	type cell struct {
		url string
		day int32
		row []byte
	}
	var cells []cell
	for range 400 {
		url := make([]byte, r.IntN(4))
		for i := range url {
			url[i] = "\x01/.a\xff"[r.IntN(5)]
		}
		c := cell{url: string(url), day: int32(r.IntN(3)) * (1 << r.IntN(25))}
		c.row = rowOf(c.url, c.day)
		cells = append(cells, c)
	}
	for _, a := range cells {
		for _, b := range cells {
			if bucketOf(a.url) != bucketOf(b.url) {
				continue
			}
			want := strings.Compare(a.url, b.url)
			if want == 0 {
				want = int(min(1, max(-1, a.day-b.day)))
			}
			if got := bytes.Compare(a.row, b.row); got != want {
				t.Fatalf("%q day %d against %q day %d: bytes say %d, want %d", a.url, a.day, b.url, b.day, got, want)
			}
		}
	}
}

// No region belongs to one domain: its pages are spread evenly over all buckets.
func TestRowsSpread(t *testing.T) {
	var n [buckets]int
	for i := range 16_000 {
		n[bucketOf("example.com/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", i/26))]++
	}
	for b, got := range n {
		if got < 800 || got > 1200 {
			t.Errorf("bucket %d has %d of 16,000 pages", b, got)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add("foo.com/about", int32(16_000))
	f.Add(strings.Repeat("long/", 100), int32(firstYear5))
	f.Fuzz(func(t *testing.T, url string, day int32) {
		if strings.IndexByte(url, 0) >= 0 || day < 0 || day > 1<<31/24-1 {
			return
		}
		key := rowOf(url, day)
		r, err := parseRow(key)
		if err != nil || r.day != day || r.hashed != hashed(url) || !strings.HasPrefix(url, string(r.url)) {
			t.Fatalf("%q, day %d: %q comes back as %+v, %v", url, day, key, r, err)
		}
		if !r.hashed && string(r.url) != url || r.hashed && len(r.url) != headBytes {
			t.Fatalf("%q comes back as %q", url, r.url)
		}
	})
}

func FuzzParseRow(f *testing.F) {
	f.Add(rowOf("foo.com/about", 16_000))
	f.Add(rowOf(strings.Repeat("long/", 100), firstYear5))
	f.Add([]byte("a:x\x002015-02-30"))
	f.Fuzz(func(t *testing.T, key []byte) {
		r, err := parseRow(key)
		if err != nil {
			return
		}
		if back := appendDay(bytes.Clone(key[:bytes.LastIndexByte(key, 0)+1]), r.day); !bytes.Equal(back, key) {
			t.Fatalf("%q comes back as %q", key, back)
		}
	})
}

func FuzzQualifier(f *testing.F) {
	f.Add([]byte("09/2/11"))
	f.Add([]byte("23/4294967295/2147483647"))
	f.Add([]byte("24/0/0"))
	f.Add([]byte("09/0/3/31"))
	f.Add([]byte("09/0/3/00"))
	f.Fuzz(func(t *testing.T, q []byte) {
		hour, s, delta, err := parseQualifier(q)
		if err != nil {
			return
		}
		if back := appendQualifier(nil, hour, s, delta); !bytes.Equal(back, q) {
			t.Fatalf("%q comes back as %q", q, back)
		}
	})
}
