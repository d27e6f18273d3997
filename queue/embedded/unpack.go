package embedded

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// unpack returns the records of a compressed batch. They are at most maxBatchSize
// bytes, whatever the compressed ones claim.
func unpack(src []byte, codec uint16) (out []byte, err error) {
	switch codec {
	case 1:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			out, err = readBounded(z)
		}
	case 2:
		out, err = unpackSnappy(src)
	case 3:
		out, err = readBounded(lz4.NewReader(bytes.NewReader(src)))
	case 4:
		z := zstdReaders.Get().(*zstd.Decoder)
		defer zstdReaders.Put(z)
		if out, err = z.DecodeAll(src, nil); errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			err = errUnpacked
		}
	default:
		err = fmt.Errorf("the codec %d is not known", codec)
	}
	if err != nil && !errors.Is(err, errUnpacked) {
		err = fmt.Errorf("a batch that cannot be unpacked: %w", err)
	}
	return out, err
}

var zstdReaders = sync.Pool{New: func() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBatchSize))
	if err != nil {
		panic(err) // the options are constants
	}
	return z
}}

func readBounded(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, maxBatchSize+1))
	if err == nil && len(out) > maxBatchSize {
		err = errUnpacked
	}
	return out, err
}

// xerial is how the streams begin that Java's clients write: then a version and the
// lowest one that can read it, and blocks, each with its length before it.
var xerial = []byte{130, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unpackSnappy(src []byte) (out []byte, err error) {
	block := func(src []byte) error {
		n, err := s2.DecodedLen(src)
		if err != nil {
			return err
		}
		if n > maxBatchSize-len(out) {
			return errUnpacked
		}
		b, err := s2.Decode(nil, src)
		out = append(out, b...)
		return err
	}
	if len(src) <= 16 || !bytes.HasPrefix(src, xerial) {
		return out, block(src)
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		if err := block(src[:n]); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return out, nil
}
