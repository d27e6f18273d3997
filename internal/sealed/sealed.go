// Package sealed gives control files in JSON a checksum, so that one that was
// damaged on disk is refused by name and never misread.
//
// The checksum is the document's last field, and is that of the document without
// it: `{"a":1}` becomes `{"a":1,"crc32c":"..."}`. So the file stays JSON that any
// tool reads. A file without the field was written before there were checksums,
// and is accepted.
package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged means that a file is not what was written.
var ErrDamaged = errors.New("the file is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// field is the checksum's field, with the comma before and the brace after.
func field(sum uint32) []byte { return fmt.Appendf(nil, `,"crc32c":"%08x"}`, sum) }

var fieldLength = len(field(0))

// Marshal is json.Marshal of an object that has fields, with a checksum.
func Marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Seal(b), nil
}

// Seal adds the checksum to a JSON object that has fields. White space after it is
// dropped.
func Seal(object []byte) []byte {
	object = bytes.TrimSpace(object)
	sum := crc32.Checksum(object, castagnoli)
	return append(bytes.Clone(object[:len(object)-1]), field(sum)...)
}

// Unmarshal checks what Marshal or Seal wrote, and decodes it. name is the file's,
// for the error.
func Unmarshal(name string, b []byte, v any) error {
	if err := Check(name, b); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", name, ErrDamaged, err)
	}
	return nil
}

// Check compares a file with its checksum, if it has one.
func Check(name string, b []byte) error {
	b = bytes.TrimSpace(b)
	at := len(b) - fieldLength
	if at < 0 || !bytes.HasPrefix(b[at:], []byte(`,"crc32c":"`)) {
		if !json.Valid(b) {
			return fmt.Errorf("%s: %w: it is not JSON", name, ErrDamaged)
		}
		return nil
	}
	object := append(bytes.Clone(b[:at]), '}')
	if want := field(crc32.Checksum(object, castagnoli)); !bytes.Equal(b[at:], want) {
		return fmt.Errorf("%s: %w: its checksum is wrong", name, ErrDamaged)
	}
	return nil
}
