package once

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
)

// If several ask for a folder, one makes it, and all see it whole.
func TestOneMakesIt(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "cache", "lib")
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := Folder(t.Context(), folder, func(temp string) (string, error) {
				made.Add(1)
				done := filepath.Join(temp, "done")
				return done, errors.Join(os.Mkdir(done, 0o700), os.WriteFile(filepath.Join(done, "a"), []byte("text"), 0o600),
					os.WriteFile(filepath.Join(temp, "rest"), nil, 0o600))
			})
			if text, errRead := os.ReadFile(filepath.Join(folder, "a")); err != nil || errRead != nil || string(text) != "text" {
				t.Errorf("%v, %v: %q", err, errRead, text)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
	if left, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(left) != 2 { // the folder and its lock
		t.Errorf("%v lie there: %v", left, err)
	}
}

// After a failure no part of the folder exists, and the next caller tries again.
func TestFailure(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "lib")
	no := errors.New("no")
	err := Folder(t.Context(), folder, func(temp string) (string, error) {
		return temp, errors.Join(no, os.WriteFile(filepath.Join(temp, "half"), nil, 0o600))
	})
	if !errors.Is(err, no) {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a folder lies there")
	}
	if err := Folder(t.Context(), folder, func(temp string) (string, error) { return temp, nil }); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Folder(t.Context(), folder+"2", func(temp string) (string, error) {
		cancel()
		return temp, Folder(ctx, folder+"2", func(string) (string, error) { panic("two at once") })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a wait whose context ended: %v", err)
	}
}

func TestSum(t *testing.T) {
	seen := map[string]string{}
	for _, files := range []map[string]string{{"a": "b", "c": "d"}, {"a": "bc"}, {"ab": "c"}, {"x/a": "b", "c": "d"}} {
		m := fstest.MapFS{}
		for name, text := range files {
			m[name] = &fstest.MapFile{Data: []byte(text)}
		}
		sum, err := Sum(m)
		if err != nil || len(sum) != 16 || seen[sum] != "" {
			t.Errorf("%q, %v of %v; seen: %v", sum, err, files, seen[sum])
		}
		seen[sum] = "seen"
	}
}
