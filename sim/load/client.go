package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one connection, owned by one goroutine.
type client struct {
	conn    net.Conn
	out, in []byte
	status  map[int]int64
	latency Histogram
}

// do sends one request and reads its answer.
func (c *client) do(cfg *Config, conn int, n int64) error {
	c.out = cfg.Request(conn, n, c.out)
	begin := time.Now()
	if _, err := c.conn.Write(c.out); err != nil {
		return fmt.Errorf("load: request %d: %w", n, err)
	}
	status, body, err := c.answer()
	if err != nil {
		return fmt.Errorf("load: answer to request %d: %w", n, err)
	}
	c.latency.Observe(time.Since(begin))
	c.status[status]++
	if cfg.Answered != nil {
		cfg.Answered(conn, n, status, body)
	}
	return nil
}

// answer reads one whole answer. One larger than the buffer is an error.
func (c *client) answer() (status int, body []byte, err error) {
	have, want := 0, -1 // bytes read; of the whole answer, when known
	head := 0
	for {
		n, err := c.conn.Read(c.in[have:])
		have += n
		if want < 0 {
			if end := bytes.Index(c.in[:have], []byte("\r\n\r\n")); end >= 0 {
				head = end + 4
				var length int
				if status, length, err = parseHead(c.in[:end+2]); err != nil {
					return 0, nil, err
				}
				want = head + length
			}
		}
		switch {
		case want >= 0 && have == want:
			return status, c.in[head:want], nil
		case want >= 0 && have > want:
			return 0, nil, errors.New("bytes after the answer")
		case errors.Is(err, io.EOF):
			return 0, nil, io.ErrUnexpectedEOF
		case err != nil:
			return 0, nil, err
		case have == len(c.in):
			return 0, nil, errors.New("the answer is larger than the buffer")
		}
	}
}

// parseHead reads the status and the length of the body, which must be said.
func parseHead(head []byte) (status, length int, err error) {
	if len(head) < 14 || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no HTTP/1.1 answer: %q", head)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, 0, fmt.Errorf("no status: %q", head)
	}
	if status == 204 || status == 304 {
		return status, 0, nil
	}
	const name = "\r\ncontent-length:"
	for at := 0; ; {
		end := bytes.Index(head[at:], []byte("\r\n"))
		if end < 0 || at+end+len(name) > len(head) {
			return 0, 0, fmt.Errorf("no length of the body: %q", head)
		}
		at += end
		if !bytes.EqualFold(head[at:at+len(name)], []byte(name)) {
			at += 2
			continue
		}
		value := head[at+len(name):]
		value = bytes.TrimSpace(value[:bytes.Index(value, []byte("\r\n"))])
		if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
			return 0, 0, fmt.Errorf("bad length of the body: %q", value)
		}
		return status, length, nil
	}
}
