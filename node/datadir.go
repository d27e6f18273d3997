package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// openDataDir makes the data directory, if it is missing, and sees to it that what
// lies in it is for the user of the process only. A symbolic link in it could lead
// anywhere, so none is followed: store, queue and batch may lie elsewhere by flags.
func openDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	for _, own := range []string{"LOCK", "store", "queue", "batch"} {
		path := filepath.Join(root, own)
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.Type()&fs.ModeSymlink != 0 {
				err = fmt.Errorf("%s is a symbolic link, which is not followed: move what it leads to here", name)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		if info, err := os.Lstat(path); err == nil && info.IsDir() && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(path, 0o700); err != nil {
				return fmt.Errorf("data directory: %w", err)
			}
		}
	}
	return nil
}
