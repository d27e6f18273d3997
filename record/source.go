package record

import (
	"fmt"
	"strconv"
	"strings"
)

// Source is where a record lay first: what a rerouted record says of itself.
type Source struct {
	Epoch     uint32
	Partition int32
	Offset    int64
}

// String is the value of ReroutedHeader: epoch/partition/offset.
func (s Source) String() string { return string(s.Append(nil)) }

// Append appends the value of ReroutedHeader.
func (s Source) Append(dst []byte) []byte {
	dst = append(strconv.AppendUint(dst, uint64(s.Epoch), 10), '/')
	dst = append(strconv.AppendInt(dst, int64(s.Partition), 10), '/')
	return strconv.AppendInt(dst, s.Offset, 10)
}

// AppendNonce appends the nonce of a record that has none: topic, log epoch,
// partition and offset where it first lay, with slashes between.
func (s Source) AppendNonce(dst []byte, topic string) []byte {
	dst = append(dst, topic...)
	dst = append(dst, '/')
	return s.Append(dst)
}

// ParseSource is the inverse of String.
func ParseSource(b []byte) (Source, error) {
	parts := strings.Split(string(b), "/")
	if len(parts) != 3 {
		return Source{}, fmt.Errorf("%s is %.60q: allowed is epoch/partition/offset", ReroutedHeader, b)
	}
	epoch, err1 := strconv.ParseUint(parts[0], 10, 32)
	partition, err2 := strconv.ParseUint(parts[1], 10, 31)
	offset, err3 := strconv.ParseUint(parts[2], 10, 63)
	if err1 != nil || err2 != nil || err3 != nil {
		return Source{}, fmt.Errorf("%s is %.60q: allowed is epoch/partition/offset", ReroutedHeader, b)
	}
	return Source{uint32(epoch), int32(partition), int64(offset)}, nil
}
