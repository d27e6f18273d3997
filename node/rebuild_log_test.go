package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/store"
)

// cover archives all that the log has.
func cover(t *testing.T, n *Node) {
	t.Helper()
	var run store.Run
	number := n.epochNow().Number
	for part, at := range n.progress.Committed() {
		run.Vector = append(run.Vector, store.VectorEntry{Epoch: number, Partition: int32(part), Offset: at})
	}
	if err := n.batch.layer.Cover(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}

// What the log has dropped, and what earlier log epochs had, comes from the archive
// when the store is rebuilt, whether the old one can still be read or not.
func TestRebuildFromArchive(t *testing.T) {
	for _, readable := range []bool{true, false} {
		for name, lose := range map[string]func(t *testing.T, data string, n *Node){
			"a trimmed log": func(t *testing.T, _ string, n *Node) {
				n.opts.MaxLogBytes = 1
				for part, at := range n.progress.Committed() {
					n.keeper.snapshotted(int32(part), at/2)
				}
				if err := n.keeper.drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				info, err := n.queue.Info(t.Context())
				if err != nil || info.Starts[0] == 0 && info.Starts[1] == 0 {
					t.Fatalf("nothing was dropped: %v %v", info.Starts, err)
				}
				closeNode(t, n)
			},
			"three log epochs": func(t *testing.T, data string, n *Node) {
				for range 2 {
					closeNode(t, n)
					if err := os.RemoveAll(filepath.Join(data, "queue")); err != nil {
						t.Fatal(err)
					}
					n, _ = testNode(t, Config{Data: data, Partitions: 2})
				}
				closeNode(t, n)
			},
		} {
			t.Run(fmt.Sprintf("%s, readable %v", name, readable), func(t *testing.T) {
				data := t.TempDir()
				n, _ := testNode(t, Config{Data: data, Partitions: 2})
				viewPages(t, n, 0, 100)
				cover(t, n)
				lose(t, data, n)
				n, _ = testNode(t, Config{Data: data, Partitions: 2})
				viewPages(t, n, 200, 250)
				wantViews(t, n, 150)
				closeNode(t, n)
				if !readable {
					damageAll(t, filepath.Join(data, "store", "MANIFEST-*"), func(string, []byte) []byte { return nil })
				}
				done, err := Rebuild(t.Context(), Config{Data: data, Partitions: 2})
				if err != nil || done.Salvaged != readable || !done.Run {
					t.Fatalf("%+v, %v", done, err)
				}
				n, _ = testNode(t, Config{Data: data, Keep: true})
				defer closeNode(t, n)
				wantViews(t, n, 150)
				viewPages(t, n, 300, 310)
				wantViews(t, n, 160)
			})
		}
	}
}

// A write-ahead log of the store that is cut short or flipped makes the store an older
// one, and the log has the rest; or the error names the remedy, which helps.
func TestDamagedWriteAheadLog(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, Config{Data: data, Partitions: 2})
	viewPages(t, n, 0, 50)
	viewPages(t, n, 50, 100)
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	for name, damage := range map[string]func(b []byte) []byte{
		"cut in half":         func(b []byte) []byte { return b[:len(b)/2] },
		"cut at the end":      func(b []byte) []byte { return b[:len(b)-3] },
		"empty":               func([]byte) []byte { return []byte{} },
		"flipped in front":    func(b []byte) []byte { b[40] ^= 4; return b },
		"flipped in half":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"flipped at the end":  func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"a block overwritten": func(b []byte) []byte { clear(b[len(b)/3 : len(b)/2]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(data, os.DirFS(killed)); err != nil {
				t.Fatal(err)
			}
			damageAll(t, filepath.Join(data, "store", "*.log"), func(_ string, b []byte) []byte {
				if len(b) < 200 {
					return b
				}
				return damage(b)
			})
			n, err := Open(t.Context(), Config{Data: data, Partitions: 2})
			if err != nil {
				if !strings.Contains(err.Error(), "speedlayer rebuild") {
					t.Fatal(err)
				}
				if _, err := Rebuild(t.Context(), Config{Data: data, Partitions: 2}); err != nil {
					t.Fatal(err)
				}
				n, _ = testNode(t, Config{Data: data, Keep: true})
			}
			defer closeNode(t, n)
			if err := n.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantViews(t, n, 100)
			viewPages(t, n, 50, 150) // half of them are remembered
			wantViews(t, n, 150)
		})
	}
}

// damageAll changes the files of a pattern, which must be there; nil removes one.
func damageAll(t *testing.T, pattern string, change func(name string, b []byte) []byte) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			if b = change(f, b); b == nil {
				err = os.Remove(f)
			} else {
				err = os.WriteFile(f, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
