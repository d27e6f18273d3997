package importer

import (
	"encoding/hex"
	"strconv"

	"github.com/zeebo/xxh3"
)

// maxFirst of a file's first line are in the nonces of its lines, in bytes.
const maxFirst = 4096

// nonce identifies a line: the site it was imported for, the file it is from,
// its position there, counted in lines, and its bytes. Without the site, two
// sites whose logs begin with the same line would share pageviews.
func nonce(host string, first []byte, position int64, line []byte) []byte {
	h := xxh3.New()
	_, _ = h.WriteString(host)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(first)
	_, _ = h.Write(strconv.AppendInt([]byte{0}, position, 10))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(line)
	sum := h.Sum128().Bytes()
	return hex.AppendEncode(nil, sum[:])
}

// nonceBefore is the nonce that earlier versions gave a line: without the site.
func nonceBefore(first []byte, position int64, line []byte) []byte {
	h := xxh3.New()
	_, _ = h.Write(first)
	_, _ = h.Write(strconv.AppendInt([]byte{0}, position, 10))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(line)
	sum := h.Sum128().Bytes()
	return hex.AppendEncode(nil, sum[:])
}
