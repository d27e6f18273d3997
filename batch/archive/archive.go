package archive

import (
	"context"
	"fmt"
	"net/url"
)

// Archive is an archive open for reading. Safe for concurrent use.
type Archive struct {
	objects Objects
	url     string
}

// Open opens the archive in a folder (file:///var/lib/x, or a path).
func Open(ctx context.Context, bucketURL string) (*Archive, error) {
	o, err := OpenObjects(ctx, bucketURL)
	if err != nil {
		return nil, err
	}
	return &Archive{objects: o, url: bucketURL}, nil
}

// New is an archive in objects that are open already; Close closes them.
func New(o Objects) *Archive { return &Archive{objects: o} }

// OpenObjects opens where an archive lies; see Open.
func OpenObjects(_ context.Context, bucketURL string) (Objects, error) {
	u, err := url.Parse(bucketURL)
	if err != nil {
		return nil, fmt.Errorf("archive %q: %w", bucketURL, err)
	}
	switch u.Scheme {
	case "":
		return openFolder(bucketURL)
	case "file":
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("archive %q: allowed is file:///FOLDER", bucketURL)
		}
		return openFolder(u.Path)
	}
	return nil, fmt.Errorf("archive %q: scheme %s is not known: allowed is file:///FOLDER", bucketURL, u.Scheme)
}

// Snapshot returns a reader of the archive as it is now.
func (a *Archive) Snapshot(ctx context.Context) (*Snapshot, error) {
	m, err := newest(ctx, a.objects)
	if err != nil {
		return nil, err
	}
	return &Snapshot{Manifest: m, objects: a.objects}, nil
}

// Close closes what the archive lies in.
func (a *Archive) Close() error { return a.objects.Close() }
