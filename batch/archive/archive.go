package archive

import (
	"context"
	"fmt"

	"speedlayer/internal/objects"
)

// Archive is an archive open for reading. It is safe for concurrent use.
type Archive struct {
	objects objects.Store
}

// Open opens an archive at a URL. Package objects lists the supported URLs.
func Open(archiveURL string) (*Archive, error) {
	o, err := objects.Open(archiveURL)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Archive{objects: o}, nil
}

// New returns an archive in objects that are already open; Close closes them.
func New(o objects.Store) *Archive { return &Archive{objects: o} }

// Snapshot returns a reader of the archive as it is now.
func (a *Archive) Snapshot(ctx context.Context) (*Snapshot, error) {
	m, err := newest(ctx, a.objects)
	if err != nil {
		return nil, err
	}
	return &Snapshot{Manifest: m, objects: a.objects}, nil
}

// Close closes the objects of the archive.
func (a *Archive) Close() error { return a.objects.Close() }
