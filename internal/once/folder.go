// Package once makes folders that several processes share and that never change:
// downloaded libraries, compiled programs.
package once

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 100 * time.Millisecond

// Folder makes sure that a folder exists. If it does not, Folder calls fill with a
// temporary folder beside it. fill writes there what it needs, and returns the part
// that becomes the folder. That part is renamed when fill has returned, so nobody sees
// half of it; the rest is removed. If several processes ask for the same folder, one
// runs fill, and the others wait for it until ctx ends.
func Folder(ctx context.Context, folder string, fill func(temp string) (done string, err error)) (err error) {
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	lock := flock.New(folder + ".lock")
	if ok, err := lock.TryLockContext(ctx, lockPoll); err != nil || !ok {
		return fmt.Errorf("waiting for another process to make %s: %w", folder, err)
	}
	defer func() { _ = lock.Unlock() }() // the process's end would do it too
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(folder)+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	done, err := fill(temp)
	if err != nil {
		return err
	}
	if err := os.Chmod(done, 0o755); err != nil { // MkdirTemp's folder is the owner's alone
		return err
	}
	return os.Rename(done, folder)
}

// Sum is a hash of a set of files, in 16 hex digits: it changes with each name and text.
func Sum(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}
