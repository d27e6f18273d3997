package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"speedlayer/internal/objects"
)

// testObjects holds an Objects to its contract.
func testObjects(t *testing.T, o objects.Store, races int) {
	ctx := t.Context()
	put := func(name, text string) error {
		return o.Create(ctx, name, strings.NewReader(text), int64(len(text)))
	}
	if err := put("a/x", "one"); err != nil {
		t.Fatal(err)
	}
	if err := put("a/x", "two"); !errors.Is(err, objects.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	for _, name := range []string{"a/y/day=2026-11-25/z", "ab", "b/x"} {
		if err := put(name, "text of "+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Create(ctx, "a/short", strings.NewReader("abc"), 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader that ends early: %v", err)
	}
	obj, err := o.Open(ctx, "a/x")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if n, err := obj.ReadAt(b, 0); n != 3 || err != nil && !errors.Is(err, io.EOF) || string(b) != "one" || obj.Size() != 3 {
		t.Errorf("read %d %v %q of %d", n, err, b, obj.Size())
	}
	if n, err := obj.ReadAt(b, 1); n != 2 || !errors.Is(err, io.EOF) || string(b[:2]) != "ne" {
		t.Errorf("read after the end: %d %v %q", n, err, b)
	}
	if err := obj.Close(); err != nil {
		t.Error(err)
	}
	if _, err := o.Open(ctx, "a/none"); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("opened what is not there: %v", err)
	}
	list := func(prefix string) (all []string) {
		if err := o.List(ctx, prefix, func(name string, size int64) error {
			all = append(all, fmt.Sprint(name, " ", size))
			return nil
		}); err != nil {
			t.Error(err)
		}
		slices.Sort(all)
		return all
	}
	if have, want := list("a/"), []string{"a/x 3", "a/y/day=2026-11-25/z 28"}; !slices.Equal(have, want) {
		t.Errorf("a/ lists %v, want %v", have, want)
	}
	if have := list("none/"); len(have) != 0 {
		t.Errorf("none/ lists %v", have)
	}
	for range 2 {
		if err := o.Delete(ctx, "a/x"); err != nil {
			t.Error(err)
		}
	}
	if _, err := o.Open(ctx, "a/x"); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("opened what was deleted: %v", err)
	}
	testOneWins(t, o, races)
}

// testOneWins has many make an object of one name at once, a number of times.
func testOneWins(t *testing.T, o objects.Store, races int) {
	for round := range races {
		name := fmt.Sprint("race/", round)
		var won, lost sync.Map
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				text := bytes.Repeat([]byte{byte('a' + i)}, 100)
				switch err := o.Create(context.Background(), name, bytes.NewReader(text), 100); {
				case err == nil:
					won.Store(i, text)
				case errors.Is(err, objects.ErrExists):
					lost.Store(i, err)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		winners := 0
		won.Range(func(_, text any) bool {
			winners++
			obj, err := o.Open(t.Context(), name)
			if err != nil {
				t.Error(err)
				return false
			}
			b := make([]byte, obj.Size())
			if _, err := obj.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(b, text.([]byte)) {
				t.Errorf("the winner's is not there: %v", err)
			}
			return obj.Close() == nil
		})
		if winners != 1 {
			t.Fatalf("round %d: %d made the same object", round, winners)
		}
	}
}
func TestFolder(t *testing.T) { testObjects(t, open(t, t.TempDir()), 20) }

func open(t *testing.T, url string) objects.Store {
	t.Helper()
	s, err := objects.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestOpenRejects(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"ftp://x/y", "allowed is a folder"},
		{"file://host/x", "file:///FOLDER"},
		{"s3:///x", "s3://BUCKET/FOLDER"},
		{"://", "missing protocol scheme"},
		{"gs://bucket/x", "s3://BUCKET/FOLDER?endpoint="},
		{"azblob://bucket/x", "s3://BUCKET/FOLDER?endpoint="},
		{"s3://bucket/x?regoin=eu-west-1", `parameter "regoin" is not known: allowed are region`},
		{"s3://bucket/x?s3ForcePathStyle=maybe", "allowed are true and false"},
		{"s3://bucket/x?endpoint=ftp://host", "http://HOST:PORT"},
		{"s3://bucket/x?endpoint=http://host/path", "http://HOST:PORT"},
	} {
		if _, err := objects.Open(c.url); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.url, err, c.want)
		}
	}
}
