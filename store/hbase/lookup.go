package hbase

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"

	"speedlayer/store"
)

// lookup is one row of a look-up: keys[begin:end] lie in it.
type lookup struct {
	begin, end int
	get        action
}

// lookupRows bounds the gets of one request.
const lookupRows = 1000

// Cells implements store.Writer. Neighbours of one url and day are one get of
// their columns; most are not there at all, which the row filters of the files
// say without a read.
func (s *Store) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i < len(keys) && keys[i].Generation == keys[begin].Generation {
			continue
		}
		if err := s.lookUp(ctx, id, keys[begin:i], begin, fn); err != nil {
			return err
		}
		begin = i
	}
	return nil
}

// lookUp reads cells of one generation; the first key is the base-th.
func (s *Store) lookUp(ctx context.Context, id store.Shard, keys []store.Key, base int, fn func(i int, version int64, value []byte) error) error {
	g := keys[0].Generation
	state, err := s.state(ctx, g)
	if err != nil {
		return err
	}
	if state == "" {
		return fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
	}
	if state == stateDropped {
		return nil
	}
	groups := make([][]lookup, s.opts.Regions)
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i < len(keys) && keys[i].URL == keys[begin].URL && keys[i].Hour/hoursADay == keys[begin].Hour/hoursADay {
			continue
		}
		at := bucketOf(keys[begin].URL) * s.opts.Regions / buckets
		groups[at] = append(groups[at], lookup{begin, i, newGet(keys[begin:i], id)})
		begin = i
	}
	var one sync.Mutex // fn is called by one at a time
	var stop error
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(s.opts.Parallel)
	for _, group := range groups {
		for len(group) > 0 {
			part := group[:min(len(group), lookupRows)]
			group = group[len(part):]
			all.Go(func() error {
				actions := make([]action, len(part))
				for i := range part {
					actions[i] = part[i].get
				}
				return s.link.many(within, s.names.cells(g), actions, func(i int, cells []byte) error {
					one.Lock()
					defer one.Unlock()
					if stop == nil {
						stop = found(cells, keys[part[i].begin:part[i].end], id, base+part[i].begin, fn)
					}
					return stop
				})
			})
		}
	}
	err = all.Wait()
	if stop != nil {
		return stop
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if gone, err := s.judge(ctx, g, err); !gone {
		return err
	}
	return nil
}

// newGet asks for the columns of keys, which lie in one row.
//
//	Get     1: row | 2: Column ...
//	Column  1: family | 2: qualifier ...
func newGet(keys []store.Key, id store.Shard) action {
	var day dayText
	row := day.append(appendURLRow(nil, keys[0].URL), keys[0].Hour/hoursADay)
	get := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), row)
	for i := range keys {
		column := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), family(keys[i].View))
		column = protowire.AppendBytes(protowire.AppendTag(column, 2, protowire.BytesType), appendQualifier(nil, keys[i].Hour%hoursADay, id))
		get = protowire.AppendBytes(protowire.AppendTag(get, 2, protowire.BytesType), column)
	}
	return action{row: row, get: get}
}

// found matches the cells of one row to the keys that asked for them.
func found(cells []byte, keys []store.Key, id store.Shard, base int, fn func(i int, version int64, value []byte) error) error {
	for len(cells) > 0 {
		kv, rest, err := nextKeyValue(cells)
		if err != nil {
			return err
		}
		cells = rest
		hour, shard, err := parseQualifier(kv.qualifier)
		if err != nil {
			return err
		}
		value := kv.value
		if url := keys[0].URL; hashed(url) {
			var of []byte
			if of, value, err = urlOfValue(value); err != nil {
				return err
			}
			if !bytes.Equal(of, []byte(url)) {
				return fmt.Errorf("%w: the row of %.80q holds cells of %.80q", store.ErrCorrupt, url, of)
			}
		}
		for i := range keys {
			if shard == id && keys[i].Hour%hoursADay == hour && family(keys[i].View) == string(kv.family) {
				if err := fn(base+i, int64(kv.timestamp), value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
