package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

const storeDir = "data/store"

// errInjected is what an injected fault of the file system answers.
var errInjected = errors.New("crash: injected error")

// changes reports whether an operation changes what a loss of power leaves.
func changes(k errorfs.OpKind) bool {
	switch k {
	case errorfs.OpCreate, errorfs.OpLink, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename,
		errorfs.OpReuseForWrite, errorfs.OpMkdirAll, errorfs.OpFileWrite, errorfs.OpFileWriteAt,
		errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return true
	}
	return false
}

func opName(k errorfs.OpKind) string {
	names := map[errorfs.OpKind]string{errorfs.OpCreate: "create", errorfs.OpLink: "link", errorfs.OpRemove: "remove",
		errorfs.OpRename: "rename", errorfs.OpReuseForWrite: "reuse", errorfs.OpMkdirAll: "mkdir", errorfs.OpFileWrite: "write",
		errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "sync"}
	if name := names[k]; name != "" {
		return name
	}
	return fmt.Sprintf("operation %d", k)
}

// faultKind names an injected error by the file it struck; "" where none may
// be: Pebble ends the process when its manifest cannot be written, which kills
// the test with it.
func faultKind(op errorfs.Op) string {
	what := "write"
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		what = "read"
	}
	switch {
	case op.Kind == errorfs.OpFileClose:
		return "" // what is closed wrongly is lost to the harness too
	case strings.Contains(op.Path, "snapshots/"):
		return what + " of snapshot"
	case strings.HasSuffix(op.Path, ".sst"):
		return what + " of table"
	case strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData):
		return "write of log"
	}
	return ""
}

// injector decides at each operation of a life's file system. It is called from
// Pebble's goroutines too.
type injector struct {
	mu     sync.Mutex
	rng    *rand.Rand
	cut    func(n int, op errorfs.Op) // called before each change, with its number
	errors float64                    // chance of an injected error
	fired  map[string]int
	n      int
	off    bool
}

func (i *injector) MaybeError(op errorfs.Op) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.off {
		return nil
	}
	if changes(op.Kind) {
		i.n++
		if i.cut != nil {
			i.cut(i.n, op)
		}
	}
	kind := faultKind(op)
	chance := i.errors
	if kind == "write of log" {
		chance /= 20 // each is the end of the process
	}
	if kind == "" || i.errors == 0 || i.rng.Float64() >= chance {
		return nil
	}
	i.fired[kind]++
	return fmt.Errorf("%w: %s %s", errInjected, kind, op.Path)
}

// lost reports whether an answer of the store gets lost on its way.
func (i *injector) lost(kind string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.off || i.rng.Float64() >= i.errors*4 {
		return false
	}
	i.fired[kind]++
	return true
}

func (i *injector) String() string { return "crash" }

// stop ends cuts and errors; the life goes on in peace.
func (i *injector) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.off = true
}

// losePower clones what is left: what was synced, and of the rest about so many
// percent of blocks and directory entries.
//
// Pebble makes a manifest, then the marker that names it, and syncs their
// directory after both: it relies on file systems to keep changes of one
// directory in order, as journals do. The clone does not, so one with the
// marker and without its manifest is drawn again.
func losePower(disk *vfs.MemFS, rng *rand.Rand, keep int) *vfs.MemFS {
	for {
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng})
		if !outOfOrder(left) {
			return left
		}
	}
}

func outOfOrder(disk *vfs.MemFS) bool {
	const marker = "marker.manifest."
	files, _ := disk.List(storeDir) // none before the directory is there
	for _, name := range files {
		if rest, ok := strings.CutPrefix(name, marker); ok {
			_, manifest, _ := strings.Cut(rest, ".")
			if !slices.Contains(files, manifest) {
				return true
			}
		}
	}
	return false
}

// forgetful is a file system that answers some syncs without syncing: the
// mistakes of a store that leaves them out.
type forgetful struct {
	vfs.FS
	skip func(path string) bool
}

func (f forgetful) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.wrap(f.FS.Create(name, c))(name)
}

func (f forgetful) OpenDir(name string) (vfs.File, error) {
	return f.wrap(f.FS.OpenDir(name))(name)
}

func (f forgetful) wrap(file vfs.File, err error) func(string) (vfs.File, error) {
	return func(name string) (vfs.File, error) {
		if err == nil && f.skip(name) {
			file = unsynced{file}
		}
		return file, err
	}
}

type unsynced struct{ vfs.File }

func (unsynced) Sync() error     { return nil }
func (unsynced) SyncData() error { return nil }
