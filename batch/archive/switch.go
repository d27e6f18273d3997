package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"speedlayer/internal/objects"
)

// The name of a manifest is manifestPrefix and a number of 20 digits.
const (
	manifestPrefix = "manifest/"
	manifestSuffix = ".json"
)

func manifestName(n uint64) string {
	return fmt.Sprintf("%s%020d%s", manifestPrefix, n, manifestSuffix)
}

func manifestNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, manifestPrefix), manifestSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// highestNumber returns the number of the newest manifest, or 0 if there is none.
func highestNumber(ctx context.Context, o objects.Store) (highest uint64, err error) {
	err = o.List(ctx, manifestPrefix, func(name string, _ int64) error {
		if n, ok := manifestNumber(name); ok {
			highest = max(highest, n)
		}
		return nil
	})
	return highest, err
}

// newest returns the manifest with the highest number. The manifest of an empty
// archive has number 0.
func newest(ctx context.Context, o objects.Store) (*Manifest, error) {
	for {
		highest, err := highestNumber(ctx, o)
		if err != nil {
			return nil, err
		}
		if highest == 0 {
			return &Manifest{Format: manifestFormat}, nil
		}
		b, err := objects.ReadAll(ctx, o, manifestName(highest))
		if errors.Is(err, objects.ErrNotFound) {
			continue // others switched often in the meantime; the highest are kept
		}
		if err != nil {
			return nil, err
		}
		m, err := decodeManifest(manifestName(highest), b)
		if err != nil {
			return nil, err
		}
		if m.Number != highest {
			return nil, fmt.Errorf("%w: %s has number %d", ErrCorrupt, manifestName(highest), m.Number)
		}
		return m, nil
	}
}

// errLost: another archiver has switched. What was made for this switch cannot be
// used.
var errLost = errors.New("archive: another archiver has taken over")

// switchTo makes m the newest manifest, if it follows the current newest one. A free
// number is not enough: others may have used it, gone on, and removed it with the old
// manifests.
func switchTo(ctx context.Context, o objects.Store, m *Manifest) error {
	b := m.encode()
	err := o.Create(ctx, manifestName(m.Number), bytes.NewReader(b), int64(len(b)))
	if errors.Is(err, objects.ErrExists) {
		return errLost
	}
	if err != nil {
		return err
	}
	highest, err := highestNumber(ctx, o)
	if err == nil && highest != m.Number {
		err = errLost
	}
	return err
}
