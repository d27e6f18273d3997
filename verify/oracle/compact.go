package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// decodeCompact reads what follows the first byte of compact encoding 1: the
// time in ms as a uvarint, then five texts, each a uvarint of its length and its
// bytes: person, url, nonce, referrer, user agent. The last three may be empty,
// and are none then.
func decodeCompact(b []byte, page func(raw string) (string, error)) (pv Pageview, err error) {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			err = errors.New("compact encoding: no uvarint")
			return 0
		}
		b = b[size:]
		return n
	}
	ts := number()
	if err == nil && ts > 1<<62 {
		err = fmt.Errorf("ts %d is too large", ts)
	}
	if err == nil && int64(ts) < minTime {
		err = errors.New("ts is before 1990")
	}
	pv.TS = int64(ts)
	for _, to := range []*string{&pv.Person, &pv.URL, &pv.Nonce, &pv.Referrer, &pv.UserAgent} {
		n := number()
		if err == nil && n > uint64(len(b)) {
			err = errors.New("compact encoding: cut off")
		}
		if err != nil {
			return pv, err
		}
		*to, b = string(b[:n]), b[n:]
		if !utf8.ValidString(*to) {
			return pv, errors.New("not UTF-8")
		}
	}
	if len(b) > 0 {
		return pv, errors.New("compact encoding: bytes after the last field")
	}
	if err := bounds("person", pv.Person, maxPerson); err != nil {
		return pv, err
	}
	if err := bounds("url", pv.URL, maxURL); err != nil {
		return pv, err
	}
	if len(pv.Nonce) > maxNonce {
		return pv, bounds("nonce", pv.Nonce, maxNonce)
	}
	pv.Page, err = page(pv.URL)
	return pv, err
}
