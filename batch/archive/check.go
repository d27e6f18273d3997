package archive

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// FileCount returns how many files the manifest names.
func (m *Manifest) FileCount() (n int) {
	for _, logs := range [...][]Log{m.Shards, m.Equivs} {
		for i := range logs {
			n += len(logs[i].Files)
		}
	}
	return n
}

// OutdatedCount returns how many files were written by a version whose files other
// programs read only in part. Compact rewrites them.
func (m *Manifest) OutdatedCount() (n int) {
	for _, logs := range [...][]Log{m.Shards, m.Equivs} {
		for i := range logs {
			for _, f := range logs[i].Files {
				if f.outdated() {
					n++
				}
			}
		}
	}
	return n
}

// CheckFiles opens every file and compares its size, footer and number of rows
// with the manifest. It calls fn for each file, and stops at the first that differs
// or is missing.
func (s *Snapshot) CheckFiles(ctx context.Context, fn func(f File)) error {
	for _, logs := range [...][]Log{s.Shards, s.Equivs} {
		for i := range logs {
			for _, f := range logs[i].Files {
				file, err := openData(ctx, s.objects, f)
				if err != nil {
					return err
				}
				if err := errors.Join(file.Close(), ctx.Err()); err != nil {
					return err
				}
				fn(f)
			}
		}
	}
	return nil
}

// FileURL returns the location of a file of the archive at a url, for other programs.
func FileURL(archiveURL, name string) string {
	u, err := url.Parse(archiveURL)
	switch {
	case err != nil || u.Scheme == "":
		return filepath.Join(archiveURL, filepath.FromSlash(name))
	case u.Scheme == "file":
		return filepath.Join(u.Path, filepath.FromSlash(name))
	}
	return u.Scheme + "://" + u.Host + "/" + strings.TrimPrefix(strings.Trim(u.Path, "/")+"/"+name, "/")
}
