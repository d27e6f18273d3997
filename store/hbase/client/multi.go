package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/tsuna/gohbase/hrpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"speedlayer/store"
)

// request is the part of hrpc.Call that all requests of this package share: all
// but what is sent and what comes back.
type request struct {
	name       string
	table, key []byte
	region     hrpc.RegionInfo
	result     chan hrpc.RPCResult

	mu  sync.Mutex // gohbase changes the context while it traces
	ctx context.Context
}

func newRequest(ctx context.Context, name, table string, key []byte) request {
	return request{name: name, table: []byte(table), key: key, ctx: ctx, result: make(chan hrpc.RPCResult, 1)}
}

func (r *request) Name() string                    { return r.name }
func (r *request) Description() string             { return r.name }
func (r *request) Table() []byte                   { return r.table }
func (r *request) Key() []byte                     { return r.key }
func (r *request) Region() hrpc.RegionInfo         { return r.region }
func (r *request) SetRegion(i hrpc.RegionInfo)     { r.region = i }
func (r *request) ResultChan() chan hrpc.RPCResult { return r.result }

func (r *request) Context() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx
}

func (r *request) SetContext(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
}

// Action is one row of a request: a put of cells, or a get.
type Action struct {
	Row   []byte
	Cells []byte // of a put: one encoded cell after the other (AppendKeyValue)
	N     int    // of a put: the number of cells
	Get   []byte // of a get: the encoded message Get
}

// multi is HBase's request for many rows of one region.
//
// gohbase chooses the region when it sends, by the row of the first action, and
// calls SetRegion. encode then takes those actions whose rows are in the region,
// and numbers them from 1 in the order in which it takes them; sent translates
// these numbers back. So the request is right even if the table was split since
// the last try: the region is narrower then, and fewer actions are taken.
//
// The messages are encoded and decoded here, field by field. As objects of the
// protobuf library (one MutationProto, one Action and several slices a row) they
// cost more than everything else that a batch does. The cells are not in the
// message: HBase takes them as a block after it, in the order of the actions.
//
//	MultiRequest  1: RegionAction { 1: RegionSpecifier { 1: 1, 2: region's name }, 3: Action ... }
//	Action        1: index from 1 | 2: MutationProto { 1: row, 2: PUT, 8: cells } or 3: Get
//	MultiResponse 1: RegionActionResult { 1: ResultOrException ..., 2: exception }
//	ResultOrException  1: index | 2: Result { 2: cells } | 3: NameBytesPair { 1: class, 2: stack }
type multi struct {
	request
	actions []Action

	sent  []int  // which of actions the request held, by index
	block []byte // cells of the answer
}

func newMulti(ctx context.Context, table string, actions []Action) *multi {
	return &multi{request: newRequest(ctx, "Multi", table, actions[0].Row), actions: actions}
}

// CellBlocksEnabled tells gohbase to ask SerializeCellBlocks.
func (m *multi) CellBlocksEnabled() bool { return true }

// ToProto is what hrpc.Call asks for; SerializeCellBlocks is called in its place.
func (m *multi) ToProto() proto.Message { return m.encode() }

// SerializeCellBlocks returns the request, and the cells of its puts, which follow
// it on the wire.
func (m *multi) SerializeCellBlocks() (proto.Message, [][]byte, uint32) {
	msg := m.encode()
	var blocks [][]byte
	var size uint32
	for _, i := range m.sent {
		if c := m.actions[i].Cells; len(c) > 0 {
			blocks = append(blocks, c)
			size += uint32(len(c))
		}
	}
	return msg, blocks, size
}

const mutatePut = 2

// encode takes the actions of the region. The message is returned as the unknown
// fields of an empty one, which the protobuf library writes as they are.
func (m *multi) encode() proto.Message {
	m.sent = m.sent[:0]
	start, stop := m.region.StartKey(), m.region.StopKey()
	name := m.region.Name()
	spec := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	spec = protowire.AppendBytes(protowire.AppendTag(spec, 2, protowire.BytesType), name)
	ra := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), spec)
	for i := range m.actions {
		a := &m.actions[i]
		if bytes.Compare(a.Row, start) < 0 || len(stop) > 0 && bytes.Compare(a.Row, stop) >= 0 {
			continue
		}
		m.sent = append(m.sent, i)
		ra = appendAction(ra, a, uint64(len(m.sent)))
	}
	request := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), ra)
	msg := &emptypb.Empty{}
	msg.ProtoReflect().SetUnknown(request)
	return msg
}

func appendAction(dst []byte, a *Action, index uint64) []byte {
	size := 1 + protowire.SizeVarint(index)
	put := 1 + protowire.SizeBytes(len(a.Row)) + 2 + 1 + protowire.SizeVarint(uint64(a.N))
	if a.Get == nil {
		size += 1 + protowire.SizeBytes(put)
	} else {
		size += 1 + protowire.SizeBytes(len(a.Get))
	}
	dst = protowire.AppendTag(dst, 3, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = protowire.AppendTag(dst, 1, protowire.VarintType)
	dst = protowire.AppendVarint(dst, index)
	if a.Get != nil {
		dst = protowire.AppendTag(dst, 3, protowire.BytesType)
		return protowire.AppendBytes(dst, a.Get)
	}
	dst = protowire.AppendTag(dst, 2, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(put))
	dst = protowire.AppendTag(dst, 1, protowire.BytesType)
	dst = protowire.AppendBytes(dst, a.Row)
	dst = protowire.AppendTag(dst, 2, protowire.VarintType)
	dst = protowire.AppendVarint(dst, mutatePut)
	dst = protowire.AppendTag(dst, 8, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(a.N))
}

// NewResponse returns a message that keeps the answer as it came.
func (m *multi) NewResponse() proto.Message { return &emptypb.Empty{} }

// DeserializeCellBlocks keeps the answer's cells as they came.
func (m *multi) DeserializeCellBlocks(_ proto.Message, b []byte) (uint32, error) {
	m.block = b
	return uint32(len(b)), nil
}

// javaError is an exception that HBase answered with.
type javaError struct{ class, text string }

func (e *javaError) Error() string {
	line, _, _ := strings.Cut(e.text, "\n")
	line = strings.TrimPrefix(line, e.class+": ")
	if line == "" || line == e.class {
		return e.class
	}
	return e.class + ": " + line
}

// results calls fn once for each action that was sent: with its cells, or with
// the exception it ended in. An answer that leaves one out is an error.
func (m *multi) results(answer proto.Message, fn func(i int, cells []byte, err error) error) error {
	rest := answer.ProtoReflect().GetUnknown()
	block, done := m.block, 0
	err := fields([]byte(rest), func(num protowire.Number, value []byte, _ uint64) error {
		if num != 1 {
			return nil
		}
		return fields(value, func(num protowire.Number, value []byte, _ uint64) error {
			switch num {
			case 1:
				i, count, failed, err := resultOrException(value)
				if err != nil {
					return err
				}
				if i < 1 || i > uint64(len(m.sent)) {
					return fmt.Errorf("%w: answer to action %d of %d", store.ErrCorrupt, i, len(m.sent))
				}
				cells := block
				for range count {
					if len(block) < 4 || uint64(len(block)) < 4+uint64(binary.BigEndian.Uint32(block)) {
						return fmt.Errorf("%w: cells are missing in an answer", store.ErrCorrupt)
					}
					block = block[4+binary.BigEndian.Uint32(block):]
				}
				done++
				return fn(m.sent[i-1], cells[:len(cells)-len(block)], failed)
			case 2: // of the whole region
				class, text, err := nameBytes(value)
				if err != nil {
					return err
				}
				done = len(m.sent)
				for _, i := range m.sent {
					if err := fn(i, nil, &javaError{class, text}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
	if err == nil && done != len(m.sent) {
		err = fmt.Errorf("%w: %d answers to %d actions", store.ErrCorrupt, done, len(m.sent))
	}
	return err
}

func resultOrException(b []byte) (index uint64, cells uint64, failed, err error) {
	err = fields(b, func(num protowire.Number, value []byte, v uint64) error {
		switch num {
		case 1:
			index = v
		case 2:
			return fields(value, func(num protowire.Number, _ []byte, v uint64) error {
				if num == 2 {
					cells = v
				}
				return nil
			})
		case 3:
			class, text, err := nameBytes(value)
			failed = &javaError{class, text}
			return err
		}
		return nil
	})
	return index, cells, failed, err
}

func nameBytes(b []byte) (name, text string, err error) {
	err = fields(b, func(num protowire.Number, value []byte, _ uint64) error {
		switch num {
		case 1:
			name = string(value)
		case 2:
			text = string(value)
		}
		return nil
	})
	return name, text, err
}

// fields calls fn with each field of an encoded message: value of one of bytes,
// v of a varint.
func fields(b []byte, fn func(num protowire.Number, value []byte, v uint64) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: an answer's field", store.ErrCorrupt)
		}
		b = b[n:]
		var value []byte
		var v uint64
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: an answer's field %d", store.ErrCorrupt, num)
		}
		b = b[n:]
		if err := fn(num, value, v); err != nil {
			return err
		}
	}
	return nil
}
