package hbase

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

// scan is a range of rows of one table: family alone if it is not empty,
// columns from low to high (exclusive) alone if high is not empty.
type scan struct {
	table       string
	start, stop []byte // stop is exclusive; empty is the end
	family      string
	low, high   []byte
	rows        uint32 // of a page at most
	keysOnly    bool   // values are left out
}

const (
	pageRows  = 10_000 // if the options do not say
	pageBytes = 2 << 20
)

// page is one request of a scan: the scanner is opened, read and closed at once.
// gohbase's own scanner asks for the next page by the scanner's id without a
// number of the call, so a page whose answer is lost is skipped silently when
// the question is sent again. This one says where it starts, and its answer
// holds whole rows.
type page struct {
	request
	s     scan
	block []byte
}

// ToProto is the request.
func (p *page) ToProto() proto.Message {
	r := &pb.ScanRequest{
		Region:                  &pb.RegionSpecifier{Type: pb.RegionSpecifier_REGION_NAME.Enum(), Value: p.region.Name()},
		NumberOfRows:            proto.Uint32(p.s.rows),
		CloseScanner:            proto.Bool(true),
		ClientHandlesPartials:   proto.Bool(false),
		ClientHandlesHeartbeats: proto.Bool(false),
		Scan: &pb.Scan{
			StartRow:      p.s.start,
			StopRow:       p.s.stop,
			MaxResultSize: proto.Uint64(pageBytes),
			Caching:       proto.Uint32(p.s.rows),
		},
	}
	if p.s.family != "" {
		r.Scan.Column = []*pb.Column{{Family: []byte(p.s.family)}}
	}
	r.Scan.Filter = p.s.filter()
	return r
}

// filter leaves out what is not asked for, at the server.
func (s *scan) filter() *pb.Filter {
	switch {
	case len(s.high) > 0:
		return columnRange(s.low, s.high)
	case s.keysOnly:
		return built(filter.NewList(filter.MustPassAll, filter.NewFirstKeyOnlyFilter(), filter.NewKeyOnlyFilter(false)))
	}
	return nil
}

// columnRange lets columns pass from low to high, exclusive.
func columnRange(low, high []byte) *pb.Filter {
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

// next asks for one page and moves the scan behind it. more is false when the
// range is at its end. The cells stay valid; nobody else has them.
func (l *link) next(ctx context.Context, s *scan) (cells []byte, more bool, err error) {
	if s.rows == 0 {
		s.rows = orDefault(l.opts.pageRows, pageRows)
	}
	var p *page
	answer, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		p = &page{request: newRequest(ctx, "Scan", s.table, s.start), s: *s}
		return p
	})
	if err != nil {
		return nil, false, fmt.Errorf("scan of %s: %w", s.table, err)
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
		s.start = append(bytes.Clone(last), 0)
	case r.GetMoreResultsInRegion():
		return nil, false, fmt.Errorf("%w: an empty page in the middle of a region", store.ErrCorrupt)
	case len(stop) == 0 || len(s.stop) > 0 && bytes.Compare(stop, s.stop) >= 0:
		return p.block, false, nil
	default:
		s.start = bytes.Clone(stop)
	}
	return p.block, true, nil
}

// lastRow goes over a block: the row of its last cell, and how many it has.
func lastRow(b []byte) (row []byte, n uint32, err error) {
	var kv keyValue
	for len(b) > 0 {
		if kv, b, err = nextKeyValue(b); err != nil {
			return nil, 0, err
		}
		n++
	}
	return kv.row, n, nil
}
