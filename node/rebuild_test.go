package node

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"speedlayer/view"
)

// cellsOf is all answers at once: every row that can be exported.
func cellsOf(t *testing.T, n *Node) string {
	t.Helper()
	r, err := n.store.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	commits, err := r.Commits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	views, _ := viewsOf(t, n)
	return fmt.Sprint(commits, views)
}

// After a rebuild the store reports what it said, with generations by settings, too,
// whether the old one can still be read or not.
func TestRebuild(t *testing.T) {
	for _, readable := range []bool{true, false} {
		t.Run(fmt.Sprintf("readable %v", readable), func(t *testing.T) {
			data := t.TempDir()
			n, _ := testNode(t, Config{Data: data, Partitions: 2})
			viewPages(t, n, 0, 100)
			closeNode(t, n)
			s := view.Defaults()
			s.DedupeWindow = 2 * time.Hour.Milliseconds()
			n, _ = testNode(t, Config{Data: data, Settings: s, ApplySettings: true})
			viewPages(t, n, 50, 150)
			want := cellsOf(t, n)
			closeNode(t, n)
			if !readable {
				manifests, err := filepath.Glob(filepath.Join(data, "store", "MANIFEST-*"))
				if err != nil || len(manifests) == 0 {
					t.Fatal(manifests, err)
				}
				for _, m := range manifests {
					if err := os.Remove(m); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Open(t.Context(), Config{Data: data}); err == nil {
					t.Fatal("a store without its manifest opens")
				}
			}
			done, err := Rebuild(t.Context(), Config{Data: data})
			if err != nil || done.Salvaged != readable || done.Aside == "" {
				t.Fatalf("%+v, %v", done, err)
			}
			n, _ = testNode(t, Config{Data: data, Keep: true})
			defer closeNode(t, n)
			wantViews(t, n, 150)
			if got := cellsOf(t, n); got != want {
				t.Errorf("after it the store has\n%s, before\n%s", got, want)
			}
			viewPages(t, n, 100, 160) // 50 of them are remembered
			wantViews(t, n, 160)
		})
	}
}
