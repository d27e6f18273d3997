package client

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tsuna/gohbase/pb"
	"github.com/tsuna/gohbase/region"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"speedlayer/store"
)

// answer makes a multi's answer of HBase's own messages, as the wire has it.
func answer(t *testing.T, m *pb.MultiResponse) proto.Message {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var e emptypb.Empty
	if err := proto.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return &e
}

func twoPuts(t *testing.T) *multi {
	put := func(row string) Action {
		return Action{Row: []byte(row), Cells: AppendKeyValue(nil, []byte(row), "1", []byte("00/0/0"), 5, []byte("v")), N: 1}
	}
	m := newMulti(t.Context(), "t", []Action{put("a"), put("b"), put("x")})
	m.SetRegion(region.NewInfo(1, nil, []byte("t"), []byte("t,,1.x."), nil, []byte("m")))
	return m
}

// The request reads as HBase's message, with the rows of the region alone.
func TestMultiRequest(t *testing.T) {
	m := twoPuts(t)
	msg, blocks, size := m.SerializeCellBlocks()
	b, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	var r pb.MultiRequest
	if err := proto.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.RegionAction) != 1 || string(r.RegionAction[0].Region.Value) != "t,,1.x." || len(r.RegionAction[0].Action) != 2 {
		t.Fatalf("%v", &r)
	}
	for i, a := range r.RegionAction[0].Action {
		if a.GetIndex() != uint32(i+1) || string(a.Mutation.Row) != string(rune('a'+i)) || a.Mutation.GetMutateType() != pb.MutationProto_PUT || a.Mutation.GetAssociatedCellCount() != 1 {
			t.Errorf("action %d: %v", i, a)
		}
	}
	if len(blocks) != 2 || int(size) != len(m.actions[0].Cells)+len(m.actions[1].Cells) {
		t.Errorf("%d blocks of %d bytes", len(blocks), size)
	}
}

func TestMultiResults(t *testing.T) {
	m := twoPuts(t)
	m.SerializeCellBlocks()
	cells := AppendKeyValue(nil, []byte("b"), "1", []byte("00/0/0"), 5, []byte("v"))
	_, _ = m.DeserializeCellBlocks(nil, cells)
	full := &pb.MultiResponse{RegionActionResult: []*pb.RegionActionResult{{ResultOrException: []*pb.ResultOrException{
		{Index: proto.Uint32(1), Exception: &pb.NameBytesPair{Name: proto.String("a.b.Busy"), Value: []byte("a.b.Busy: wait\n\tat x")}},
		{Index: proto.Uint32(2), Result: &pb.Result{AssociatedCellCount: proto.Int32(1)}},
	}}}}
	got := map[int]string{}
	if err := m.results(answer(t, full), func(i int, c []byte, err error) error {
		got[i] = fmt.Sprint(len(c), err)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got[0] != "0a.b.Busy: wait" && got[0] != "0 a.b.Busy: wait" || got[1] != fmt.Sprint(len(cells), nil) || len(got) != 2 {
		t.Errorf("%v", got)
	}
	// An exception of the region is one of each of its actions.
	whole := &pb.MultiResponse{RegionActionResult: []*pb.RegionActionResult{{Exception: &pb.NameBytesPair{Name: proto.String("a.NotServingRegionException")}}}}
	n := 0
	if err := m.results(answer(t, whole), func(_ int, _ []byte, err error) error {
		if IsClass(err, "NotServingRegionException") {
			n++
		}
		return nil
	}); err != nil || n != 2 {
		t.Errorf("%d exceptions, %v", n, err)
	}
	// An answer that leaves an action out acknowledges nothing.
	full.RegionActionResult[0].ResultOrException = full.RegionActionResult[0].ResultOrException[1:]
	if err := m.results(answer(t, full), func(int, []byte, error) error { return nil }); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("one answer to two actions: %v", err)
	}
}

func FuzzMultiResults(f *testing.F) {
	f.Add([]byte{10, 4, 10, 2, 8, 1}, []byte{})
	f.Fuzz(func(t *testing.T, b, block []byte) {
		m := twoPuts(t)
		m.SerializeCellBlocks()
		_, _ = m.DeserializeCellBlocks(nil, block)
		var e emptypb.Empty
		e.ProtoReflect().SetUnknown(b)
		_ = m.results(&e, func(i int, cells []byte, err error) error {
			if i < 0 || i > 1 || len(cells) > len(block) {
				t.Fatalf("action %d, %d bytes", i, len(cells))
			}
			return nil
		})
	})
}
