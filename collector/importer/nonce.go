package importer

import (
	"encoding/hex"
	"strconv"

	"github.com/zeebo/xxh3"
)

// maxFirst of a file's first line are in the nonces of its lines, in bytes.
const maxFirst = 4096

func nonce(first []byte, position int64, line []byte) []byte {
	h := xxh3.New()
	_, _ = h.Write(first)
	_, _ = h.Write(strconv.AppendInt([]byte{0}, position, 10))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(line)
	sum := h.Sum128().Bytes()
	return hex.AppendEncode(nil, sum[:])
}
