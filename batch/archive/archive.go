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

// Open opens an archive:
//
//	FOLDER, file:///FOLDER            a folder, made if it is missing
//	s3://BUCKET/FOLDER?region=R       S3, or a server that speaks it: with
//	                                  &endpoint=http://HOST:PORT&s3ForcePathStyle=true
//	gs://BUCKET/FOLDER                Google Cloud Storage
//	azblob://CONTAINER/FOLDER         Azure
//
// Credentials come from where the provider's own tools find them. FOLDER may be
// left out of those of object stores.
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
func OpenObjects(ctx context.Context, bucketURL string) (Objects, error) {
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
	case "s3", "gs", "azblob":
		if u.Host == "" {
			return nil, fmt.Errorf("archive %q: allowed is %s://BUCKET/FOLDER", bucketURL, u.Scheme)
		}
		return openBucket(ctx, u)
	}
	return nil, fmt.Errorf("archive %q: scheme %q is not known: allowed is a folder, or a url of file, s3, gs or azblob", bucketURL, u.Scheme)
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
