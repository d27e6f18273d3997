package topology

import (
	"encoding/json"
	"fmt"
)

// Codec turns values into bytes and back. Both functions are pure: equal values
// have equal bytes, whoever encodes them.
type Codec[T any] struct {
	// Name is part of the diagram.
	Name string
	// Append appends the bytes of a value.
	Append func(dst []byte, v T) []byte
	// Decode is the inverse. It must not keep b. Its error reports what is wrong with
	// the bytes: such a record is rejected.
	Decode func(b []byte) (T, error)
}

// Text is the codec of texts as they are, byte by byte.
var Text = Codec[string]{
	Name:   "text",
	Append: func(dst []byte, v string) []byte { return append(dst, v...) },
	Decode: func(b []byte) (string, error) { return string(b), nil },
}

// JSON is the codec of values as JSON (encoding/json). It uses reflection, so it is
// for convenience and not for speed. Values must marshal always to the same text, as
// those without interfaces do.
func JSON[T any]() Codec[T] {
	return Codec[T]{
		Name: "json",
		Append: func(dst []byte, v T) []byte {
			b, err := json.Marshal(v)
			if err != nil {
				panic(fmt.Sprintf("a value that JSON has no text for: %v", err))
			}
			return append(dst, b...)
		},
		Decode: func(b []byte) (v T, err error) {
			err = json.Unmarshal(b, &v)
			return v, err
		},
	}
}

func (c *Codec[T]) complete() bool { return c.Append != nil && c.Decode != nil }
