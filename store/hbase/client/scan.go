package client

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tsuna/gohbase/filter"
	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
	"google.golang.org/protobuf/proto"

	"speedlayer/store"
)

// Scan is a range of rows of one table.
type Scan struct {
	Table       string
	Start, Stop []byte // rows; Stop is exclusive, and empty is the end of the table
	Family      string // only this family; "" is all
	Low, High   []byte // only columns from Low to High (exclusive), if High is not empty
	Rows        uint32 // of a page, at most; 0 is Options.PageRows
	KeysOnly    bool   // without values
}

const pageBytes = 2 << 20

// page is one request of a scan. It opens a scanner, reads from it and closes it.
// gohbase's own scanner asks for the next page by the scanner's ID, without the
// number of the call. If the answer is lost and the request is sent again, the
// server returns the page after it, and one page is silently missing. A request
// that names its first row can be repeated, and its answer holds whole rows.
type page struct {
	request
	s     Scan
	block []byte
}

// ToProto is the request.
func (p *page) ToProto() proto.Message {
	r := &pb.ScanRequest{
		Region:                  &pb.RegionSpecifier{Type: pb.RegionSpecifier_REGION_NAME.Enum(), Value: p.region.Name()},
		NumberOfRows:            proto.Uint32(p.s.Rows),
		CloseScanner:            proto.Bool(true),
		ClientHandlesPartials:   proto.Bool(false),
		ClientHandlesHeartbeats: proto.Bool(false),
		Scan: &pb.Scan{
			StartRow:      p.s.Start,
			StopRow:       p.s.Stop,
			MaxResultSize: proto.Uint64(pageBytes),
			Caching:       proto.Uint32(p.s.Rows),
		},
	}
	if p.s.Family != "" {
		r.Scan.Column = []*pb.Column{{Family: []byte(p.s.Family)}}
	}
	r.Scan.Filter = p.s.filter()
	return r
}

// filter makes the server leave out what the scan does not want.
func (s *Scan) filter() *pb.Filter {
	switch {
	case len(s.High) > 0:
		return ColumnRange(s.Low, s.High)
	case s.KeysOnly:
		return built(filter.NewList(filter.MustPassAll, filter.NewFirstKeyOnlyFilter(), filter.NewKeyOnlyFilter(false)))
	}
	return nil
}

// ColumnRange is a filter that passes the columns from low to high (exclusive).
func ColumnRange(low, high []byte) *pb.Filter {
	return built(filter.NewColumnRangeFilter(low, high, true, false))
}

// built makes a filter's message. Its parts are known, so that cannot fail.
func built(f filter.Filter) *pb.Filter {
	m, err := f.ConstructPBFilter()
	if err != nil {
		panic(err)
	}
	return m
}

// NewResponse is the answer without its cells.
func (p *page) NewResponse() proto.Message { return &pb.ScanResponse{} }

// DeserializeCellBlocks keeps the answer's cells as they came.
func (p *page) DeserializeCellBlocks(_ proto.Message, b []byte) (uint32, error) {
	p.block = b
	return uint32(len(b)), nil
}

// Next reads one page and moves the scan past it. more is false at the end of the
// range. The caller owns the cells, which [NextKeyValue] takes apart.
func (l *Client) Next(ctx context.Context, s *Scan) (cells []byte, more bool, err error) {
	if s.Rows == 0 {
		s.Rows = l.opts.PageRows
	}
	var p *page
	answer, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		p = &page{request: newRequest(ctx, "Scan", s.Table, s.Start), s: *s}
		return p
	})
	if err != nil {
		return nil, false, fmt.Errorf("scan of %s: %w", s.Table, err)
	}
	r := answer.(*pb.ScanResponse)
	want := uint32(0)
	for i, n := range r.GetCellsPerResult() {
		if i < len(r.GetPartialFlagPerResult()) && r.PartialFlagPerResult[i] {
			return nil, false, fmt.Errorf("%w: half a row in a scan", store.ErrCorrupt)
		}
		want += n
	}
	last, got, err := lastRow(p.block)
	if err != nil {
		return nil, false, err
	}
	if got != want {
		return nil, false, fmt.Errorf("%w: %d cells in a page that has %d", store.ErrCorrupt, got, want)
	}
	stop := p.region.StopKey()
	switch {
	case r.GetMoreResultsInRegion() && got > 0:
		s.Start = append(bytes.Clone(last), 0)
	case r.GetMoreResultsInRegion():
		return nil, false, fmt.Errorf("%w: an empty page in the middle of a region", store.ErrCorrupt)
	case len(stop) == 0 || len(s.Stop) > 0 && bytes.Compare(stop, s.Stop) >= 0:
		return p.block, false, nil
	default:
		s.Start = bytes.Clone(stop)
	}
	return p.block, true, nil
}

// lastRow goes over a block: the row of its last cell, and how many it has.
func lastRow(b []byte) (row []byte, n uint32, err error) {
	var kv KeyValue
	for len(b) > 0 {
		if kv, b, err = NextKeyValue(b); err != nil {
			return nil, 0, err
		}
		n++
	}
	return kv.Row, n, nil
}
