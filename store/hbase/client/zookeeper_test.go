package client

import (
	"testing"

	"github.com/tsuna/gohbase/pb"
)

// A node that is empty, or anything else, is an error and nothing worse.
func TestParseNode(t *testing.T) {
	for _, b := range []string{"", "\xff", "\xff\x00\x00\x00\x02ab", "\xff\x00\x00\x00\x02abPBUX", "\xff\xff\xff\xff\xffPBUF", "x\x00\x00\x00\x00PBUF", "\xff\x00\x00\x00\x00PBUF"} {
		if err := parseNode([]byte(b), &pb.Master{}); err == nil {
			t.Errorf("%q is taken for a node", b)
		}
	}
}
