package views

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/store"
)

// Person maps the hash of a person to the hash of the canonical person by the equiv
// edges of the run: the smallest hash of the component.
type Person struct{ Raw, Canonical uint64 }

// persons.bin lists the persons that are not their own canonical person, by raw hash:
//
//	raw u64 | canonical u64, little-endian each
const (
	personsName = "persons.bin"
	personBytes = 16
)

// writePersons writes the persons, sorted, and syncs the file.
func writePersons(fs vfs.FS, name string, persons []Person) (err error) {
	persons = slices.SortedFunc(slices.Values(persons), func(a, b Person) int {
		if a.Raw < b.Raw {
			return -1
		}
		return 1
	})
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	b := make([]byte, 0, len(persons)*personBytes)
	for _, p := range persons {
		b = binary.LittleEndian.AppendUint64(b, p.Raw)
		b = binary.LittleEndian.AppendUint64(b, p.Canonical)
	}
	return finish(f, b)
}

// persons is an open-addressing table, at most half full. A raw hash of 0 marks a
// free row: 0 is the smallest hash, so such a person is always its own canonical one.
type persons struct {
	mask uint64
	rows []Person
}

func (p *persons) of(raw uint64) uint64 {
	if len(p.rows) == 0 {
		return raw
	}
	for i := raw & p.mask; p.rows[i].Raw != 0; i = (i + 1) & p.mask {
		if p.rows[i].Raw == raw {
			return p.rows[i].Canonical
		}
	}
	return raw
}

func readPersons(fs vfs.FS, name string) (p persons, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return p, err
	}
	b, err := io.ReadAll(f)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil || len(b) == 0 {
		return p, err
	}
	if len(b)%personBytes != 0 {
		return p, fmt.Errorf("%w: %d bytes are no persons", store.ErrCorrupt, len(b))
	}
	size := uint64(4)
	for size < uint64(2*len(b)/personBytes) {
		size *= 2
	}
	p = persons{mask: size - 1, rows: make([]Person, size)}
	for ; len(b) > 0; b = b[personBytes:] {
		row := Person{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		if row.Canonical >= row.Raw {
			return p, fmt.Errorf("%w: the canonical person of %x is %x", store.ErrCorrupt, row.Raw, row.Canonical)
		}
		i := row.Raw & p.mask
		for p.rows[i].Raw != 0 {
			i = (i + 1) & p.mask
		}
		p.rows[i] = row
	}
	return p, nil
}
