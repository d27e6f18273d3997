package hbase

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tsuna/gohbase"
	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
	"google.golang.org/protobuf/proto"

	"speedlayer/store"
)

// noCells takes no cells and records the requests that it gets.
type noCells struct {
	gohbase.Client
	mu    sync.Mutex
	asked []string
}

func (c *noCells) SendRPC(call hrpc.Call) (proto.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.Name() == "Multi" {
		c.asked = append(c.asked, "cells")
		return nil, errors.New("HBase Java exception org.apache.hadoop.hbase.DoNotRetryIOException:\nno")
	}
	switch call.(type) {
	case *hrpc.Get: // does the generation still exist?
		return &pb.GetResponse{Result: &pb.Result{Cell: []*pb.Cell{{Value: []byte(stateCreated)}}}}, nil
	case *hrpc.Mutate:
		c.asked = append(c.asked, "commit")
		return &pb.MutateResponse{}, nil
	}
	return nil, errors.New("a request that this client does not know")
}

// The commit row stands for its cells (law 2 of the contract). It is not sent until
// they are acknowledged, because nobody would write them again after it.
func TestCommitRowComesLast(t *testing.T) {
	c := &noCells{}
	s := faked(t, c)
	s.remember(0, stateCreated)
	shard := store.Shard{Partition: 3}
	err := s.Apply(t.Context(), &store.Batch{Shard: shard, Cells: []store.Cell{{Key: store.Key{View: 1, URL: "a.com/", Hour: 9}, Version: 7, Value: []byte{1}}},
		Commit: store.Commit{Offset: 7}})
	if err == nil || s.committedAt(shard) >= 7 {
		t.Errorf("a batch whose cells were refused is committed: %v", err)
	}
	if !slices.Equal(c.asked, []string{"cells"}) {
		t.Errorf("asked for %v: want the cells, and no commit after them", c.asked)
	}
}
