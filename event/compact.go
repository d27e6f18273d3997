package event

import "encoding/binary"

// The compact encoding, version 1. Lengths are uvarints, and at most the bounds
// of the fields; a text of length 0 that is optional is not there.
//
//	0x01 | ts uvarint (ms) | person length, bytes | url length, bytes
//	     | nonce length, bytes | referrer length, bytes | user agent length, bytes
const compactVersion = 0x01

// AppendCompact appends the compact encoding of pv to dst.
func AppendCompact(dst []byte, pv *Pageview) []byte {
	dst = append(dst, compactVersion)
	dst = binary.AppendUvarint(dst, uint64(pv.TS))
	for _, text := range [...][]byte{pv.Person, pv.URL, pv.Nonce, pv.Referrer, pv.UserAgent} {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	return dst
}

func decodeCompact(value []byte, pv *Pageview) error {
	b := value[1:]
	ts, n := binary.Uvarint(b)
	if n <= 0 || ts > 1<<62 {
		return reject("ts", CodeTime, "compact encoding: no uvarint of milliseconds")
	}
	b = b[n:]
	pv.TS = int64(ts)
	for _, f := range [...]struct {
		name string
		to   *[]byte
	}{{"person", &pv.Person}, {"url", &pv.URL}, {"nonce", &pv.Nonce}, {"referrer", &pv.Referrer}, {"user_agent", &pv.UserAgent}} {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return reject(f.name, CodeEncoding, "compact encoding: cut off")
		}
		*f.to = b[n : n+int(length) : n+int(length)]
		b = b[n+int(length):]
	}
	if len(b) != 0 {
		return reject("", CodeEncoding, "compact encoding: %d bytes after the last field", len(b))
	}
	pv.HasNonce = len(pv.Nonce) > 0
	return pv.validUTF8()
}
