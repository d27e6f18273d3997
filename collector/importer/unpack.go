package importer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// magicBytes tell how a file is packed.
const magicBytes = 6

// peeked is how many first bytes of a file tell what it is: a tar archive names
// itself at byte 257.
const peeked = 512

// maxNested bounds how often a file may be packed.
const maxNested = 3

// unpack reads gzip, zstd, bzip2 and xz as they are, known by their first bytes,
// not by the file's name. packed reports that it was one of these. Garbage after
// the packed data is told to note. Of a stream, only what has come is looked at:
// the rest may be long in coming.
func unpack(in io.Reader, stream bool, note func(string)) (r *bufio.Reader, packed bool, err error) {
	b := bufio.NewReaderSize(in, 1<<16)
	for range maxNested {
		magic, err := begin(b, stream)
		if err != nil && len(magic) == 0 && !errors.Is(err, io.EOF) {
			return nil, packed, err
		}
		inner, err := unpacker(b, magic, note)
		if err != nil {
			return nil, packed, err
		}
		if inner == nil {
			return b, packed, notText(magic)
		}
		b, packed = bufio.NewReaderSize(inner, 1<<16), true
	}
	return nil, packed, fmt.Errorf("it is packed more than %d times", maxNested)
}

// begin returns the first bytes of a file.
func begin(b *bufio.Reader, stream bool) ([]byte, error) {
	if !stream {
		return b.Peek(peeked)
	}
	if magic, err := b.Peek(magicBytes); err != nil {
		return magic, err
	}
	return b.Peek(min(peeked, b.Buffered()))
}

// unpacker is nil for a file that is not packed.
func unpacker(b *bufio.Reader, magic []byte, note func(string)) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return newGzip(b, note)
	case isZstd(magic):
		return zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	case bytes.HasPrefix(magic, []byte("BZh")) && len(magic) > 3 && magic[3] >= '1' && magic[3] <= '9':
		return bzip2.NewReader(b), nil
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return xz.ReaderConfig{DictCap: 1 << 26}.NewReader(b)
	}
	return nil, nil
}

// isZstd knows a frame, and a frame to be skipped, with which pzstd begins.
func isZstd(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18})
}

// notText names what is not a text file of lines, by its first bytes.
func notText(magic []byte) error {
	for _, k := range []struct {
		at           int
		bytes, error string
	}{
		{257, "ustar", "it is a tar archive: unpack it, and import its files"},
		{0, "PK\x03\x04", "it is a zip archive: unpack it, and import its files"},
		{0, "7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it, and import its files"},
		{0, "Rar!", "it is a rar archive: unpack it, and import its files"},
		{0, "\x04\x22\x4d\x18", "it is packed with lz4: unpack it first"},
		{0, "\x1f\x9d", "it is packed with compress: unpack it first"},
		{0, "\x5d\x00\x00", "it is packed with lzma: unpack it first, as in xz -d"},
		{0, "SQLite format 3\x00", "it is an SQLite database, not a file of lines"},
		{0, "Obj\x01", "it is an Avro file, not one of lines"},
		{0, "ORC", "it is an ORC file, not one of lines"},
		{0, "LPKSHHRH", "it is a binary journal of systemd: export its lines, as in journalctl -o cat"},
		{0, "PAR1", "it is a Parquet file, not one of lines"},
		{0, "\xff\xfe", "it is UTF-16: convert it first, as in iconv -f UTF-16 -t UTF-8"},
		{0, "\xfe\xff", "it is UTF-16: convert it first, as in iconv -f UTF-16 -t UTF-8"},
	} {
		if len(magic) >= k.at && bytes.HasPrefix(magic[k.at:], []byte(k.bytes)) {
			return errors.New(k.error)
		}
	}
	if isUTF16(magic) {
		return errors.New("it is UTF-16 without a byte order mark: convert it first, as in iconv -f UTF-16LE -t UTF-8")
	}
	return nil
}

// isUTF16 reports whether every other byte of a text is NUL, and no other is.
func isUTF16(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	var nul [2]int
	for i, c := range b {
		if c == 0 {
			nul[i%2]++
		}
	}
	few, many := min(nul[0], nul[1]), max(nul[0], nul[1])
	return few == 0 && many >= len(b)/2-2
}

// gzipReader reads all members of a gzip file. Padding after the last one, as
// tapes and some tools leave it, is not an error; other bytes are told.
type gzipReader struct {
	in   *bufio.Reader
	z    *gzip.Reader
	note func(string)
}

func newGzip(in *bufio.Reader, note func(string)) (io.Reader, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipReader{in: in, z: z, note: note}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		more, err := g.in.Peek(2)
		if !bytes.Equal(more, []byte{0x1f, 0x8b}) {
			return 0, g.end(err)
		}
		if err := g.z.Reset(g.in); err != nil {
			return 0, err
		}
		g.z.Multistream(false)
	}
}

// end looks at what follows the last member.
func (g *gzipReader) end(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	padding, other := 0, 0
	for {
		c, err := g.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			if other > 0 {
				g.note(fmt.Sprintf("%d bytes after the packed data are not gzip: they were left out", padding+other))
			}
			return io.EOF
		case err != nil:
			return err
		case c == 0:
			padding++
		default:
			other++
		}
	}
}
