package hbase

import (
	"errors"
	"strings"
	"testing"

	"github.com/tsuna/gohbase"
	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
	"github.com/tsuna/gohbase/region"
	"google.golang.org/protobuf/proto"

	"speedlayer/store/hbase/client"
)

// table is a control table of which only the layout row matters. What a read of it
// finds depends on the number of the read.
type table struct {
	gohbase.Client
	layout []string // results of Get; "": the row does not exist. The last one repeats
	rows   bool     // a Scan finds a row
	taken  bool     // a CheckAndPut loses
	gets   int
	puts   int
}

func (c *table) SendRPC(call hrpc.Call) (proto.Message, error) {
	row := []byte(layoutRow)
	switch call := call.(type) {
	case *hrpc.Get:
		value := c.layout[min(c.gets, len(c.layout)-1)]
		c.gets++
		if value == "" {
			return &pb.GetResponse{Result: &pb.Result{}}, nil
		}
		return &pb.GetResponse{Result: &pb.Result{Cell: []*pb.Cell{{Row: row, Value: []byte(value)}}}}, nil
	case *hrpc.CheckAndPut:
		c.puts++
		return &pb.MutateResponse{Processed: proto.Bool(!c.taken)}, nil
	case interface { // a page of a scan
		hrpc.Call
		DeserializeCellBlocks(proto.Message, []byte) (uint32, error)
	}:
		call.SetRegion(region.NewInfo(1, nil, []byte("t"), []byte("t,,1."), nil, nil))
		if !c.rows {
			return &pb.ScanResponse{}, nil
		}
		_, err := call.DeserializeCellBlocks(nil, client.AppendKeyValue(nil, row, controlFamily, []byte(versionColumn), 1, []byte("x")))
		return &pb.ScanResponse{CellsPerResult: []uint32{1}}, err
	}
	return nil, errors.New("a request that this table does not know")
}

// When several processes start on a fresh store, each may see the layout row
// appear between any two of its reads.
func TestLayoutThatAppears(t *testing.T) {
	const mine, none = layoutVersion, ""
	for _, c := range []struct {
		name  string
		table table
		puts  int
		says  string
	}{
		{"it is there", table{layout: []string{mine}, rows: true}, 0, ""},
		{"nothing is there", table{layout: []string{none}}, 1, ""},
		{"another writes it between the look at the row and that at the table", table{layout: []string{none, mine}, rows: true, taken: true}, 1, ""},
		{"another writes it before ours", table{layout: []string{none, mine}, taken: true}, 1, ""},
		{"a stranger's rows", table{layout: []string{none}, rows: true}, 0, "has rows, but none that names its layout"},
		{"another layout appears", table{layout: []string{none, "77"}, rows: true, taken: true}, 1, `has layout "77"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := faked(t, &c.table).checkLayout(t.Context())
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: want %q", err, c.says)
			}
			if c.table.puts != c.puts {
				t.Errorf("the layout was put %d times, want %d", c.table.puts, c.puts)
			}
		})
	}
}
